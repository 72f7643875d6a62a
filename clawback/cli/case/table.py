"""Which cases a list has, and the table that shows them: shared by `case list` and `case watch`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size

from clawback.cases import CaseState
from clawback.cases.summary import CaseSummary
from clawback.cli.arguments import parse_time_argument
from clawback.model.mode import Mode
from clawback.model.texts import printable
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_index import CaseFilter

State = Annotated[CaseState | None, typer.Option("--state", help="Only cases in this state.")]
RuleName = Annotated[str | None, typer.Option("--rule", help="Only cases of this rule.")]
CaseMode = Annotated[Mode | None, typer.Option("--mode", help="Only cases with this mode.")]
Since = Annotated[
    str, typer.Option("--since", help="Only cases opened after a time, or an age such as 2h.")
]

COLUMNS = (
    *("id", "state", "level", "due", "msgs", "sender", "subject"),
    *("rule", "mode", "opened", "for"),
)
DROP_FIRST = ("opened", "mode", "for", "rule", "level", "msgs", "due")
_LONGEST_SENDER = 26
_LONGEST_SUBJECT = 27
STYLES: Mapping[str, str] = {
    CaseState.HELD: "bold yellow",
    CaseState.RESPONDING: "cyan",
    CaseState.SETTLED: "green",
    CaseState.CLOSED: "dim",
    CaseState.DENIED: "red",
    CaseState.EXPIRED: "red",
    CaseState.UNDONE: "magenta",
}


def build_filter(since: str = "", until: str = "", **fields: Any) -> CaseFilter:
    """Build the filter of a list; `fields` are those of `CaseFilter` as they are.

    Raises:
        Failure: a time cannot be parsed.

    """
    return CaseFilter(
        **fields,
        since=parse_time_argument(since, "--since") if since else None,
        until=parse_time_argument(until, "--until") if until else None,
    )


def table_rows(cases: Sequence[CaseLine], now: datetime) -> list[tuple[str, ...]]:
    """Return the rows of a table of cases, in the order of `COLUMNS`."""
    return [_row(case, now) for case in cases]


def format_age(seconds: float) -> str:
    """Format an age in the largest unit that leaves two or more: `12s`, `5m`, `3h`, `9d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def cut_to_width(text: str, width: int) -> str:
    """Bring a text from mail into one line of at most so many columns of a terminal."""
    line = " ".join(printable(text).split())
    if cell_len(line) <= width:
        return line
    return f"{set_cell_size(line, width - 1).rstrip()}…"


def _row(case: CaseLine, now: datetime) -> tuple[str, ...]:
    summary = case.summary or CaseSummary(rule=case.rule)
    deadline = summary.deadline if case.state == CaseState.HELD else None
    return (
        names.short_id(case.id),
        case.shown_state,
        summary.level,
        format_age(max((deadline - now).total_seconds(), 0)) if deadline else "",
        "?" if case.summary is None else f"{summary.messages:,}",
        cut_to_width(summary.sender or "", _LONGEST_SENDER),
        cut_to_width(summary.subject, _LONGEST_SUBJECT),
        case.rule,
        case.mode,
        f"{case.opened_at:%Y-%m-%d %H:%M:%S}",
        format_age(case.lasted(now)),
    )
