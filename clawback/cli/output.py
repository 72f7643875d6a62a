"""Output of commands: text and tables for people, JSON for programs.

Answers go to stdout, everything else to stderr. Tables are coloured and fitted to a terminal, and
complete in a pipe; `--json` has everything.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Annotated, Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

Row = Sequence[str]
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_JSON_FORM = (
    orjson.OPT_INDENT_2
    | orjson.OPT_NON_STR_KEYS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)


def print_json(value: Any) -> None:
    """Print a value as one JSON document; dates and paths become strings."""
    print_json_text(_format_json(value))


def _format_json(value: Any) -> str:
    try:
        return orjson.dumps(value, default=_to_plain, option=_JSON_FORM).decode()
    except TypeError:
        # orjson refuses integers of more than 64 bits and lone surrogates.
        return json.dumps(value, ensure_ascii=False, indent=2, default=_to_plain)


def print_json_object(fields: Iterable[tuple[str, Any]]) -> None:
    """Print one JSON object field by field, and an iterator among its values item by item.

    So the text of a document with hundreds of thousands of items is never in memory as a whole.
    """
    before = "{\n"
    for name, value in fields:
        sys.stdout.write(f"{before}  {json.dumps(name)}: ")
        before = ",\n"
        if isinstance(value, Iterator):
            _write_items(value)
        else:
            _write_json(_format_json(value).replace("\n", "\n  "))
    sys.stdout.write("{}\n" if before == "{\n" else "\n}\n")


def _write_items(items: Iterator[Any]) -> None:
    before = "[\n"
    for item in items:
        text = _format_json(item).replace("\n", "\n    ")
        _write_json(f"{before}    {text}")
        before = ",\n"
    sys.stdout.write("[]" if before == "[\n" else "\n  ]")


def print_json_text(text: str) -> None:
    """Print JSON; characters that the encoding of stdout lacks become escapes of JSON."""
    _write_json(text + "\n")


def _write_json(text: str) -> None:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        # Only strings of JSON can hold such characters.
        text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    sys.stdout.write(text)


def print_file(text: str) -> None:
    """Print the content of a file, which is UTF-8 whatever the encoding of stdout is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def escape_what_streams_lack() -> None:
    """Print characters that the encoding of stdout or stderr lacks as escapes, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_text(text: str) -> None:
    """Print text of the answer to stdout."""
    sys.stdout.write(text + "\n")


def print_status(text: str) -> None:
    """Print progress or a remark to stderr."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(escape(text))


def print_error(text: str) -> None:
    """Print an error or a warning to stderr, marked red on a terminal."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[red]clawback:[/red] {escape(text)}")


@contextmanager
def show_progress(what: str) -> Iterator[None]:
    """Show on stderr what the command is doing: a spinner on a terminal, else one line."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{what} …", highlight=False)
        yield
        return

    with console.status(f"{what} …"):
        yield


def _to_plain(value: Any) -> Any:
    # orjson also asks here for named tuples, which it does not take for arrays.
    return [*value] if isinstance(value, tuple) else str(value)


# ---- tables


def print_table(
    columns: Row,
    rows: Sequence[Row],
    *,
    drop_first: Row = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table; columns that hold only numbers are aligned to the right.

    A terminal that is too narrow loses columns in the order of `drop_first`; cells are never cut.
    `styles` gives the style of a cell by its first word.
    """
    if sys.stdout.isatty():
        console = Console(highlight=False)
        table = build_table(
            columns, rows, drop_first=drop_first, styles=styles, width=console.width
        )
        console.print(table)
        return

    widths = _widths(columns, rows)
    numeric = [_is_numeric(index, rows) for index in range(len(columns))]
    for row in (columns, *rows):
        cells = zip(row, widths, numeric, strict=True)
        print_text(
            "  ".join(_pad(cell, width, right=right) for cell, width, right in cells).rstrip()
        )


def build_table(
    columns: Row,
    rows: Sequence[Row],
    *,
    drop_first: Row = (),
    styles: Mapping[str, str] | None = None,
    width: int,
) -> Table:
    """Build the table of `print_table` for a terminal of that width."""
    kept = _fit(columns, rows, drop_first, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index in kept:
        is_numeric = _is_numeric(index, rows)
        justify: JustifyMethod = "right" if is_numeric else "left"
        table.add_column(columns[index], justify=justify, overflow="fold")

    styles = styles or {}
    for row in rows:
        cells = (row[index] for index in kept)
        table.add_row(*(Text(cell, style=styles.get(cell.partition(" ")[0], "")) for cell in cells))

    return table


def _fit(columns: Row, rows: Sequence[Row], drop_first: Row, width: int) -> list[int]:
    widths = _widths(columns, rows)
    kept = list(range(len(columns)))
    for name in drop_first:
        if sum(widths[index] + 2 for index in kept) - 2 > width:
            kept.remove(list(columns).index(name))
    return kept


def _widths(columns: Row, rows: Sequence[Row]) -> list[int]:
    return [max(cell_len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]


def _is_numeric(index: int, rows: Sequence[Row]) -> bool:
    # Empty cells do not make a column of numbers one of texts.
    return not any(row[index].strip("0123456789,.%") for row in rows)


def _pad(cell: str, width: int, *, right: bool) -> str:
    padding = " " * (width - cell_len(cell))
    return padding + cell if right else cell + padding
