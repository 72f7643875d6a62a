"""Renders the status: a live view for terminals, one line for logs. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clawback.local.status import RuleCounts, Status
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.durations import format_duration

_COLOURS = {
    "running": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "failed": "red",
    "stopped": "dim",
}
_STOPPED = "STOPPED until `clawback resume`; undo continues"
_MAX_SECONDS = timedelta(minutes=2)


def render_status(status: Status, headline: str, locations: Mapping[str, str]) -> RenderableType:
    """Render the whole status; `locations` are URLs and paths by name."""
    title = Text.assemble(
        ("clawback ", "bold"), headline, (f"   up {format_duration(status.uptime)}", "dim")
    )
    sections = [title, _overview(status), _rules(status), _recent(status)]
    spaced = [part for section in sections for part in (section, Text())]
    footer = Text("Ctrl-C stops everything; the next start continues from here.", style="dim")
    return Group(*spaced, _two_columns(locations.items()), footer)


def format_status_line(status: Status) -> str:
    """Format the status as one line."""
    total = RuleCounts.total(status.rule_counts.values())
    parts = [
        f"up {format_duration(status.uptime)}",
        f"seen {status.seen}",
        f"matched {total.matched} acted {total.acted} would {total.would} failed {total.failed}",
        "cases " + (_cases(status) or "none"),
        f"last poll {_poll_ages(status)}",
        _api(status),
    ]
    if status.is_stopped:
        parts.append(f"containment {_STOPPED}")

    parts += [
        f"{process.name} {process.state}"
        for process in status.processes
        if process.state != "running"
    ]
    return " · ".join(parts)


def _overview(status: Status) -> Table:
    rejected = sum(poller.rejected for poller in status.pollers)
    rows: list[tuple[str, str | Text]] = [
        ("events", f"{status.seen:,} seen, {rejected} rejected"),
        ("last poll", _last_poll(status)),
        ("open cases", _cases(status) or "none"),
        ("API", _api(status)),
        ("processes", _processes(status)),
    ]
    if status.is_stopped:
        rows.insert(0, ("containment", Text(_STOPPED, style="bold red")))

    return _two_columns(rows)


def _last_poll(status: Status) -> Text:
    problems = [
        f"{poller.source}: {poller.state} {poller.detail}"
        for poller in status.pollers
        if poller.detail
    ]
    return Text("; ".join(problems), style="red") if problems else Text(_poll_ages(status))


def _processes(status: Status) -> Text:
    return Text(" · ").join(
        Text(
            process.name + (f" ({process.restarts} restarts)" if process.restarts else ""),
            style=_COLOURS.get(process.state, ""),
        )
        for process in status.processes
    )


def _rules(status: Status) -> RenderableType:
    if not status.rule_counts:
        return Text("No rule has matched since the start.", style="dim")

    columns = ("rule", "matched", "acted", "would have", "failed")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"

    for rule, counts in status.rule_counts.items():
        failed = Text(str(counts.failed), style="red" if counts.failed else "")
        table.add_row(rule, str(counts.matched), str(counts.acted), str(counts.would), failed)

    return table


def _recent(status: Status) -> RenderableType:
    if not status.recent:
        return Text("Nothing has happened yet.", style="dim")

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")

    for record in status.recent:
        time = f"{record.at.astimezone():%H:%M:%S}"
        text = Text(" ".join(_record_words(record)), style=_record_style(record))
        table.add_row(time, record.rule or "", text)

    return table


def _record_style(record: AuditRecord) -> str:
    if (record.outcome or "").startswith(("failed", "unknown")):
        return "red"
    return "yellow" if record.kind is RecordKind.HELD else ""


def _record_words(record: AuditRecord) -> Iterator[str]:
    if record.kind is not RecordKind.ACTED:
        yield record.kind.replace("_", " ")
    for word in (record.action, record.outcome, record.target, record.detail):
        if word:
            yield word


def _cases(status: Status) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in status.cases.items() if count)


def _poll_ages(status: Status) -> str:
    ages = status.metrics.poll_ages if status.metrics else {}
    return ", ".join(f"{source} {_age(age)} ago" for source, age in ages.items()) or "none yet"


def _age(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s" if age < _MAX_SECONDS else format_duration(age)


def _api(status: Status) -> str:
    metrics = status.metrics
    if metrics is None:
        return "the worker does not respond"

    text = (
        f"{metrics.requests:,} requests, {metrics.refused} refused, {metrics.unanswered} unanswered"
    )
    if metrics.remaining is not None:
        text += f", {metrics.remaining:,} left until the limit"

    return text


def _two_columns(rows: Iterable[tuple[str, str | Text]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table
