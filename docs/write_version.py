"""Writes a version everywhere it stands: package, chart and changelog. `make release` calls it."""

import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
_UNRELEASED = "## Unreleased\n"


class ReleaseError(ValueError):
    """A file is not as a release expects it; the text names the file."""


def write_version(root: Path, version: str, today: date) -> None:
    """Write the version into package, chart and changelog of a checkout.

    What is under "Unreleased" in the changelog becomes the section of the version, unless it has a
    section already, which gets the date if it was not released.

    Raises:
        ReleaseError: a file has no place for it.

    """
    _replace(root / "pyproject.toml", r'^version = ".*"$', f'version = "{version}"')
    _replace(
        root / "clawback" / "__init__.py", r'^__version__ = ".*"$', f'__version__ = "{version}"'
    )
    chart = root / "deploy" / "helm" / "clawback" / "Chart.yaml"
    _replace(chart, r"^version: .*$", f"version: {version}")
    _replace(chart, r"^appVersion: .*$", f"appVersion: {version}")
    _write_changelog(root / "CHANGELOG.md", version, today)


def _replace(file: Path, pattern: str, line: str) -> None:
    text, found = re.subn(
        pattern, line, file.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE
    )
    if not found:
        raise ReleaseError(f"{file}: no line `{pattern}`")
    file.write_text(text, encoding="utf-8")


def _write_changelog(file: Path, version: str, today: date) -> None:
    text = file.read_text(encoding="utf-8")
    planned, released = f"## {version} (not released)\n", f"## {version} ({today.isoformat()})\n"
    if f"\n## {version} " in text:
        file.write_text(text.replace(planned, released, 1), encoding="utf-8")
        return
    if _UNRELEASED not in text:
        raise ReleaseError(f"{file}: no section `Unreleased`")
    section = f"{_UNRELEASED}\n{released}"
    file.write_text(text.replace(_UNRELEASED, section, 1), encoding="utf-8")


if __name__ == "__main__":
    try:
        write_version(ROOT, sys.argv[1], datetime.now(UTC).date())
    except ReleaseError as problem:
        sys.exit(str(problem))
