"""Builds the documentation as a site, strictly: `make site`. A broken link or anchor is an error.

The pages link each other as files of the repository, so that they can be read there. So they are
staged in the same folders before they are built.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGED = ROOT / "build" / "site" / "pages"
CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"
FOLDERS = ("docs", "deploy", "rules", "bench")
KINDS = (".md", ".png")
_FENCE = re.compile(r"^```(\w+) .*$", re.MULTILINE)
"""A fence with more than a language: our tests read the rest, and the site takes no such fence."""


def list_pages(root: Path) -> Iterator[Path]:
    """Yield the pages of the repository and their pictures, as paths in it."""
    yield from (page.relative_to(root) for page in sorted(root.glob("*.md")))
    for folder in FOLDERS:
        for page in sorted((root / folder).rglob("*")):
            if page.suffix in KINDS:
                yield page.relative_to(root)


def stage(root: Path, target: Path) -> None:
    """Copy the pages to where they are built."""
    shutil.rmtree(target, ignore_errors=True)
    for page in list_pages(root):
        (target / page).parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".md":
            text = (root / page).read_text(encoding="utf-8")
            (target / page).write_text(_FENCE.sub(r"```\1", text), encoding="utf-8")
        else:
            shutil.copyfile(root / page, target / page)


def main(arguments: list[str]) -> int:
    """Stage the pages and build them; the arguments go to `mkdocs build`."""
    stage(ROOT, STAGED)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(CONFIG)]
    return subprocess.run([*command, *arguments], check=False).returncode  # noqa: S603 - a constant


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
