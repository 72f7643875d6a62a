"""Fills the generated tables into the pages under docs/.

A table stands between the lines `<!-- generated: NAME -->` and `<!-- /generated -->`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

DOCS = Path(__file__).parent
Tables = Mapping[str, Callable[[], Iterable[str]]]

MARKER = re.compile(
    r"(?P<start><!-- generated: (?P<name>[a-z ]+) -->\n).*?(?P<end><!-- /generated -->)", re.DOTALL
)


def fill_tables(page: str, tables: Tables) -> str:
    """Return the text of a page with every generated table as the code has it now.

    Raises:
        KeyError: the page names a table that nothing generates.

    """

    def fill(found: re.Match[str]) -> str:
        rows = "".join(f"{row}\n" for row in tables[found["name"]]())
        return f"{found['start']}{rows}{found['end']}"

    return MARKER.sub(fill, page)


def table_head(*columns: str) -> Iterator[str]:
    """Yield the two header lines of a Markdown table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)


def table_row(*cells: str) -> str:
    """Write one line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table_cell(text: str) -> str:
    """Escape a text so that it cannot end its cell or its row."""
    return text.replace("|", "\\|").replace("\n", " ")


def first_paragraph(text: str | None) -> str:
    """Return the first paragraph of a help text in one line."""
    return " ".join((text or "").split("\n\n")[0].split())
