"""What the generated pages share.

Tables between `<!-- name -->` and `<!-- /name -->`, made anew from the code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

Tables = Mapping[str, Callable[[], Iterable[str]]]


def with_tables(page: str, tables: Tables) -> str:
    """Give a page with every table as the code has it now."""
    for name, rows in tables.items():
        before, opening, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        page = before + opening + "".join(f"{row}\n" for row in rows()) + closing + after
    return page


def rewrite(page: Path, tables: Tables) -> bool:
    """Write the tables of a page; whether that changed it."""
    before = page.read_text()
    after = with_tables(before, tables)
    page.write_text(after)
    return before != after


def head(*columns: str) -> Iterator[str]:
    """The first two lines of a table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)


def cell(text: str) -> str:
    """A text that cannot end its cell."""
    return text.replace("|", "\\|").replace("\n", " ")
