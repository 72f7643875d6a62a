"""Tables for people: on a terminal coloured and fitted to its width, in a pipe whole and plain.

What is left out is in `--json`.
"""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clawback.cli.output import say

Line = Sequence[str]


def print_fitting(
    columns: Line,
    lines: Sequence[Line],
    *,
    first_to_go: Line = (),
    colours: Mapping[str, str] | None = None,
) -> None:
    """Print a table.

    On a terminal too narrow for it, columns are left out in the order of `first_to_go`; no cell is
    ever cut.

    `colours` gives the style of a cell by its first word.
    """
    if sys.stdout.isatty():
        console = Console(highlight=False)
        console.print(
            fitted(columns, lines, first_to_go=first_to_go, colours=colours, width=console.width)
        )
        return
    widths = _widths(columns, lines)
    for line in (columns, *lines):
        say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def fitted(
    columns: Line,
    lines: Sequence[Line],
    *,
    first_to_go: Line = (),
    colours: Mapping[str, str] | None = None,
    width: int,
) -> Table:
    """Build the same table for a terminal of that width."""
    styles = colours or {}
    kept = _fitting(columns, lines, first_to_go, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index in kept:
        right = all(line[index].replace(",", "").isdecimal() for line in lines)
        table.add_column(columns[index], justify="right" if right else "left", overflow="fold")
    for line in lines:
        table.add_row(
            *(
                Text(line[index], style=styles.get(line[index].partition(" ")[0], ""))
                for index in kept
            )
        )
    return table


def _fitting(columns: Line, lines: Sequence[Line], first_to_go: Line, width: int) -> list[int]:
    widths = _widths(columns, lines)
    kept = list(range(len(columns)))
    for name in first_to_go:
        if sum(widths[index] + 2 for index in kept) - 2 > width:
            kept.remove(list(columns).index(name))
    return kept


def _widths(columns: Line, lines: Sequence[Line]) -> list[int]:
    return [max(len(line[index]) for line in (columns, *lines)) for index in range(len(columns))]
