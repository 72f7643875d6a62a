"""The generated parts of the pages are what the code says now."""

import pytest

from docs.generate import TABLES, generate_files, generate_pages
from docs.tables import DOCS, MARKER, fill_tables

PAGES = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}


def test_every_page_is_up_to_date() -> None:
    """`make docs` would change nothing; if this fails, run it and review what it changed."""
    outdated = [
        str(page.relative_to(DOCS)) for page, text in generate_pages() if text != PAGES[page]
    ]
    assert outdated == []


def test_the_schema_is_written_with_the_pages() -> None:
    """`make docs` is the one command after a change of actions or fields."""
    names = [file.relative_to(DOCS.parent).as_posix() for file, _ in generate_files()]
    assert "rules/schema.json" in names
    assert len(names) == len(PAGES) + 1


def test_every_table_is_on_exactly_one_page() -> None:
    """No table is generated for nothing, and none is repeated."""
    named = [found["name"] for text in PAGES.values() for found in MARKER.finditer(text)]
    assert sorted(named) == sorted(TABLES)


def test_an_unknown_table_is_an_error() -> None:
    """A mistyped marker fails instead of keeping an old table."""
    with pytest.raises(KeyError):
        fill_tables("<!-- generated: no such table -->\n<!-- /generated -->\n", TABLES)


def test_a_table_is_replaced() -> None:
    """What stood between the markers goes, and the markers stay."""
    page = "a\n<!-- generated: x -->\n| old |\n<!-- /generated -->\nb\n"
    filled = fill_tables(page, {"x": lambda: ["| new |"]})
    assert filled == page.replace("old", "new")


def test_the_pages_are_found() -> None:
    """The list of pages is not empty by accident."""
    assert {DOCS / "tutorial.md", DOCS / "rules" / "README.md"} <= set(PAGES)
