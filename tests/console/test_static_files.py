"""What browsers load: small, unchanged since it was vendored, and kept for a year."""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from clawback.console.static_files import StaticFiles

STATIC = files("clawback.console") / "static"
KIB = 1024


def test_vendored_files_are_those_whose_hashes_are_listed() -> None:
    """Each has its hash in SHA256SUMS, and its project a licence beside it."""
    folder = STATIC / "vendor"
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if file.name != "SHA256SUMS"
    }
    assert found == listed
    assert {"LICENSE-htmx", "LICENSE-uplot"} <= set(found)


@pytest.mark.parametrize(("name", "most"), [("clawback.js", 6 * KIB), ("clawback.css", 20 * KIB)])
def test_own_files_stay_small(name: str, most: int) -> None:
    """The budgets of the console, without compression."""
    assert len((STATIC / name).read_bytes()) <= most


def test_a_cold_page_loads_little() -> None:
    """All files that every page loads take less than 70 KiB, so a page stays below 150 kB."""
    names = ("clawback.css", "clawback.js", "htmx-4.0.1.min.js", "hx-csp-4.0.1.min.js")
    loaded = [*names, "hx-sse-4.0.1.min.js", "icon.svg"]
    paths = StaticFiles().paths
    assert set(loaded) <= set(paths)
    sizes = {file.name: len(file.read_bytes()) for file in _every() if file.is_file()}
    assert sum(sizes[name] for name in loaded) < 70 * KIB


def _every() -> list[Traversable]:
    return [*STATIC.iterdir(), *(STATIC / "vendor").iterdir()]
