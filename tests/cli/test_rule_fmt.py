"""`clawback rules fmt` as people and hooks run it."""

import json
from pathlib import Path

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback
from tests.rules.folders import PLAIN, write

MESSY = PLAIN.replace("    - move", "    -   move").replace("status: ", "status:   ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tidy, a messy and a broken file."""
    return write(
        tmp_path / "rules", {"a.yml": PLAIN, "sub/b.yml": MESSY, "lists/c.yml": "title: [broken\n"}
    )


def test_it_formats_what_it_can(folder: Path) -> None:
    """A messy file is rewritten; a broken one is named, left alone, and makes exit code 1."""
    done = clawback("rules", "fmt", str(folder))
    assert done.returncode == ExitCode.NO
    assert (folder / "sub/b.yml").read_text() == PLAIN
    assert done.stdout == f"{folder}/sub/b.yml\n1 of 4 files formatted\n"
    assert f"{folder}/lists/c.yml: not formatted: line" in done.stderr
    assert (folder / "lists/c.yml").read_text() == "title: [broken\n"
    assert not list(folder.rglob("*.new"))


def test_a_single_file(folder: Path) -> None:
    """A file stands for itself."""
    done = clawback("rules", "fmt", str(folder / "sub/b.yml"), "--json")
    assert json.loads(done.stdout) == {
        "files": 1,
        "changed": [f"{folder}/sub/b.yml"],
        "refused": {},
    }
    assert done.returncode == ExitCode.OK


def test_check_and_diff_write_nothing(folder: Path) -> None:
    """`--check` is for hooks; `--diff` shows the change."""
    check = clawback("rules", "fmt", "--check", str(folder / "sub/b.yml"))
    assert check.returncode == ExitCode.NO
    assert check.stdout.endswith("\n1 of 1 file would change\n")
    diff = clawback("rules", "fmt", "--diff", str(folder / "sub/b.yml"))
    assert (diff.returncode, "-status:   stable\n+status: stable\n" in diff.stdout) == (0, True)
    assert (folder / "sub/b.yml").read_text() == MESSY
