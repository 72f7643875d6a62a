"""The site has every page, and its pages link each other as those of the repository do.

`make site` builds it strictly, which CI does too; that needs packages which the tests do without.
"""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from docs.build_site import CONFIG, list_pages, stage
from tests.docs.test_documented_commands import ROOT


def read_config() -> dict[str, Any]:
    """Read the configuration of the site."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return config


def pages_in(entries: list[Any]) -> list[str]:
    """Flatten a navigation."""
    found = []
    for entry in entries:
        content = next(iter(entry.values())) if isinstance(entry, dict) else entry
        found += [content] if isinstance(content, str) else pages_in(content)
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    """But those that are reached from a list."""
    config = read_config()
    pages = {str(page) for page in list_pages(ROOT) if page.suffix == ".md"}
    beside = config["not_in_nav"].split()
    wanted = {page for page in pages if not any(fnmatch(page, pattern) for pattern in beside)}
    shown = pages_in(config["nav"])
    assert sorted(shown) == sorted(wanted)


def test_pages_are_staged_where_their_links_expect_them(tmp_path: Path) -> None:
    """In the same folders, with fences that name a language alone."""
    stage(ROOT, tmp_path)
    assert (tmp_path / "SECURITY.md").read_bytes() == (ROOT / "SECURITY.md").read_bytes()
    safety = (tmp_path / "docs" / "rules" / "safety.md").read_text(encoding="utf-8")
    assert "```yaml\n" in safety
    assert "```yaml safety" not in safety
    assert (tmp_path / "docs" / "operations" / "console" / "case.png").exists()


def test_the_site_loads_nothing_from_elsewhere() -> None:
    """No fonts, and no scripts but its own."""
    config = read_config()
    assert config["theme"]["font"] is False
    assert "extra_javascript" not in config
