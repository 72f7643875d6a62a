"""How the status looks: a live view for terminals, one line for logs.

Pure: a status in, something to print out.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clawback.local.status import Status
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.durations import format_duration

_COLOURS = {
    "running": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "failed": "red",
    "stopped": "dim",
}


def live_view(status: Status, headline: str, places: Mapping[str, str]) -> RenderableType:
    """Draw the whole status; `places` says where to look for more."""
    return Group(
        Text.assemble(
            ("clawback ", "bold"), headline, (f"   up {format_duration(status.up_for)}", "dim")
        ),
        Text(),
        _facts(status),
        Text(),
        _rules(status),
        Text(),
        _recent(status),
        Text(),
        _table(places.items()),
        Text("Ctrl-C stops everything; the next start goes on from here.", style="dim"),
    )


_STOPPED = "STOPPED until `clawback resume`; undo continues"


def plain_line(status: Status) -> str:
    """Say the status in one line."""
    total = status.total
    parts = [
        f"up {format_duration(status.up_for)}",
        f"seen {status.seen}",
        f"matched {total.matched} acted {total.acted} would {total.would} failed {total.failed}",
        "cases " + (_cases(status) or "none"),
        f"last poll {_poll_age(status)}",
        _api(status),
    ]
    parts += [f"containment {_STOPPED}"] if _is_stopped(status) else []
    parts += [
        f"{child.name} {child.state}" for child in status.children if child.state != "running"
    ]
    return " · ".join(parts)


def _facts(status: Status) -> Table:
    processes = Text(" · ").join(
        Text(
            child.name + (f" ({child.restarts} restarts)" if child.restarts else ""),
            style=_COLOURS.get(child.state, ""),
        )
        for child in status.children
    )
    troubled = [
        f"{poller.source}: {poller.state} {poller.detail or ''}"
        for poller in status.pollers
        if poller.detail
    ]
    rows: list[tuple[str, str | Text]] = [
        (
            "events",
            f"{status.seen:,} seen, {sum(poller.rejected for poller in status.pollers)} rejected",
        ),
        (
            "last poll",
            Text(_poll_age(status)) if not troubled else Text("; ".join(troubled), style="red"),
        ),
        ("open cases", _cases(status) or "none"),
        ("API", _api(status)),
        ("processes", processes),
    ]
    stopped: list[tuple[str, str | Text]] = (
        [("containment", Text(_STOPPED, style="bold red"))] if _is_stopped(status) else []
    )
    return _table([*stopped, *rows])


def _is_stopped(status: Status) -> bool:
    return status.numbers is not None and status.numbers.stopped


def _rules(status: Status) -> RenderableType:
    if not status.tallies:
        return Text("No rule has matched since the start.", style="dim")
    table = Table(
        "rule",
        "matched",
        "acted",
        "would have",
        "failed",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for rule, tally in status.tallies.items():
        failed = Text(str(tally.failed), style="red" if tally.failed else "")
        table.add_row(rule, str(tally.matched), str(tally.acted), str(tally.would), failed)
    return table


def _recent(status: Status) -> RenderableType:
    if not status.recent:
        return Text("Nothing has happened yet.", style="dim")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for record in status.recent:
        failed = (record.outcome or "").startswith(("failed", "unknown"))
        style = "red" if failed else "yellow" if record.kind is RecordKind.HELD else ""
        table.add_row(
            f"{record.at.astimezone():%H:%M:%S}",
            record.rule or "",
            Text(" ".join(_words(record)), style=style),
        )
    return table


def _words(record: AuditRecord) -> Iterator[str]:
    if record.kind is not RecordKind.ACTED:
        yield record.kind.replace("_", " ")
    for word in (record.action, record.outcome, record.target, record.detail):
        if word:
            yield word


def _cases(status: Status) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in status.cases.items() if count)


def _poll_age(status: Status) -> str:
    ages = status.numbers.poll_ages if status.numbers else {}
    return ", ".join(f"{source} {_age(age)} ago" for source, age in ages.items()) or "none yet"


def _age(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s" if age < timedelta(minutes=2) else format_duration(age)


def _api(status: Status) -> str:
    numbers = status.numbers
    if numbers is None:
        return "the worker does not answer"
    left = "" if numbers.left is None else f", {numbers.left:,} left until the limit"
    return f"{numbers.requests:,} requests, {numbers.refused} refused, {numbers.unanswered} unanswered{left}"


def _table(rows: Iterable[tuple[str, str | Text]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table
