"""The build id: the version, and a digest of the code that a worker runs."""

from pathlib import Path

import pytest

from clawback import __version__, app_files
from clawback.app_files import build_id


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one file in each place."""
    for name in ("worker.py", "workflows/a.py", "clawback/guard/b.py", "clawback/cli/c.py"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    monkeypatch.setattr(app_files, "_PACKAGE", tmp_path / "clawback")
    return tmp_path


def build() -> str:
    """Compute the id anew."""
    build_id.cache_clear()
    return build_id()


@pytest.fixture(autouse=True, scope="module")
def _forget() -> object:
    """Leave no id of other code behind."""
    yield
    build_id.cache_clear()


def test_it_begins_with_the_version() -> None:
    """People see at once what runs."""
    assert build().startswith(f"{__version__}-")


@pytest.mark.parametrize("name", ["worker.py", "workflows/a.py", "clawback/guard/b.py"])
def test_a_change_of_what_a_worker_runs_is_another_build(code: Path, name: str) -> None:
    """Also if the version was forgotten."""
    before = build()
    (code / name).write_text("x = 2\n")
    assert build() != before


def test_a_change_of_a_command_is_the_same_build(code: Path) -> None:
    """Commands are no part of a worker."""
    before = build()
    (code / "clawback/cli/c.py").write_text("x = 2\n")
    assert build() == before


def test_a_renamed_module_is_another_build(code: Path) -> None:
    """Activities and payload types are found by name."""
    before = build()
    (code / "workflows/a.py").rename(code / "workflows/b.py")
    assert build() != before
