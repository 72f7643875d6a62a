"""What commands print: sentences and tables for people, one JSON document for programs.

Answers go to stdout, all else to stderr.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(value: Any) -> None:
    """Print a value as one JSON document; dates and paths as text."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def say(text: str) -> None:
    """Print a sentence of the answer."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """Print how it is going, for whoever waits."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(escape(text))


def complain(text: str) -> None:
    """Print what went wrong, in red on a terminal."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"[red]clawback:[/red] {escape(text)}"
    )


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], empty: str) -> None:
    """Print rows as a table, or a sentence where there are none.

    A value that is None stays blank.
    """
    if not rows:
        say(empty)
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(
            *(escape("" if row.get(column) is None else str(row[column])) for column in columns)
        )
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False).print(table)


@contextmanager
def working(on: str) -> Iterator[None]:
    """Show that something that may take a while is going on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{on} …", highlight=False)
        yield
        return
    with console.status(f"{on} …"):
        yield
