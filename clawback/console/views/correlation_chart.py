"""The window of a correlation as a picture, drawn here: one mark for each event that counted.

It is a plain SVG of attributes, with the same facts as a table beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clawback.cases import CaseStart
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import Clock, ShownTime
from clawback.model.durations import format_duration

_WIDTH = 640
_HEIGHT = 120
_LEFT = 8
_TOP = 12
_MOST_MARKS = 400
_MOST_ROWS = 20


@dataclass(frozen=True)
class Mark:
    """One event: where it is in the picture."""

    x: str
    y: str


@dataclass(frozen=True)
class CountRow:
    """One row of the table: when, and how many had counted by then."""

    at: ShownTime
    count: str


@dataclass(frozen=True)
class CorrelationChart:
    """The picture and its table; coordinates are finished."""

    title: str
    description: str
    marks: tuple[Mark, ...]
    window_x: str
    window_width: str
    threshold_y: str
    rows: tuple[CountRow, ...]
    more: str


def build_chart(case: CaseStart, clock: Clock) -> CorrelationChart | None:
    """Draw the window of a case; None if its rule counts nothing."""
    correlation = case.plan.correlation
    if correlation is None or case.snapshot is None or not case.snapshot.events:
        return None

    times = _times(case.snapshot.events)
    start, end, most = times[0], times[-1], max(len(times), correlation.at_least)
    span = max(end - start, timedelta(seconds=1))
    scale = (_WIDTH - 2 * _LEFT) / span.total_seconds()
    opened = min(max(case.snapshot.opened_at, start), end)
    window_start = max(opened - correlation.timespan, start)

    kind = correlation.type.value.replace("_", " ")
    length = format_duration(correlation.timespan)
    return CorrelationChart(
        title=f"{kind}: at least {correlation.at_least:,} within {length}",
        description=show_mail_text(case.window)
        or f"{len(times):,} events; the case opened when the threshold was reached",
        marks=_draw(times, start, scale, most),
        window_x=_number(_LEFT + (window_start - start).total_seconds() * scale),
        window_width=_number(max((opened - window_start).total_seconds() * scale, 2)),
        threshold_y=_number(_y(correlation.at_least, most)),
        rows=tuple(
            CountRow(clock.show(at), f"{count:,}")
            for count, at in list(enumerate(times, 1))[:_MOST_ROWS]
        ),
        more=f"and {len(times) - _MOST_ROWS:,} more" if len(times) > _MOST_ROWS else "",
    )


def _times(events: Mapping[str, datetime]) -> list[datetime]:
    return sorted(events.values())


def _draw(times: Sequence[datetime], start: datetime, scale: float, most: int) -> tuple[Mark, ...]:
    step = max(len(times) // _MOST_MARKS, 1)
    return tuple(
        Mark(
            _number(_LEFT + (at - start).total_seconds() * scale),
            _number(_y(count, most)),
        )
        for count, at in list(enumerate(times, 1))[::step]
    )


def _y(count: int, most: int) -> float:
    return _HEIGHT - _TOP - (_HEIGHT - 2 * _TOP) * count / most


def _number(value: float) -> str:
    return f"{value:.1f}"
