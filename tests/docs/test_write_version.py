"""A release writes its version everywhere, and makes a section of what is unreleased."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from docs.write_version import ReleaseError, write_version
from tests.docs.test_documented_commands import ROOT

FILES = (
    "pyproject.toml",
    "clawback/__init__.py",
    "deploy/helm/clawback/Chart.yaml",
    "CHANGELOG.md",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of this checkout that have a version."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- A rule.\n")
    return tmp_path


def test_every_place_has_the_version(checkout: Path) -> None:
    """Package, chart and changelog; twice is once."""
    for _ in range(2):
        write_version(checkout, "9.8.7", date(2026, 11, 29))
    for name in FILES:
        assert "9.8.7" in (checkout / name).read_text(encoding="utf-8"), name
    assert (checkout / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n## Unreleased\n\n## 9.8.7 (2026-11-29)\n\n- A rule.\n"
    )


def test_a_section_that_was_planned_gets_its_date(checkout: Path) -> None:
    """The changelog has a section of the first release before it is one."""
    log = checkout / "CHANGELOG.md"
    log.write_text("# Changelog\n\n## Unreleased\n\n## 9.8.7 (not released)\n\n- A rule.\n")
    write_version(checkout, "9.8.7", date(2026, 11, 29))
    assert "## Unreleased\n\n## 9.8.7 (2026-11-29)\n\n- A rule.\n" in log.read_text()


def test_a_file_without_a_place_is_named(checkout: Path) -> None:
    """Nobody releases half a version."""
    (checkout / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(ReleaseError, match=r"CHANGELOG\.md: no section `Unreleased`"):
        write_version(checkout, "9.8.7", date(2026, 11, 29))
