"""Computes the geometry of bar charts, in SVG user units. The template of the report draws them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 240, 56, 28, 12
_MAX_BARS = 60
_RIGHT = 40
_SPANS = (1, 7, 28, 91, 182, 364)
"""Days in one bar: the shortest span that gives few enough bars is used."""
_ROW = 26
_LABEL = 250
_MAX_NAME = 36


@dataclass(frozen=True)
class Series:
    """One colour of a stacked chart: a name, a CSS class and a count for each day."""

    name: str
    style: str
    days: Mapping[date, int]


@dataclass(frozen=True)
class GridLine:
    """A horizontal line."""

    x1: float
    x2: float
    y: float


@dataclass(frozen=True)
class Bar:
    """A rectangle with a CSS class and a tooltip."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str = ""


@dataclass(frozen=True)
class Label:
    """A text; `anchor` is the CSS class of its alignment."""

    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class Chart:
    """Everything the template draws. `legend` has pairs of a name and a CSS class."""

    caption: str
    height: int
    bars: Sequence[Bar]
    labels: Sequence[Label]
    lines: Sequence[GridLine] = ()
    legend: Sequence[tuple[str, str]] = ()
    width: int = field(default=_WIDTH)


def bars_by_day(series: Sequence[Series], first: date, last: date, what: str) -> Chart:
    """Lay out stacked bars over time, one for a day or, over a longer time, for several."""
    days = (last - first).days
    span = next((span for span in _SPANS if days // span < _MAX_BARS), _SPANS[-1])
    starts = [first + timedelta(days=number * span) for number in range(days // span + 1)]
    counts = [(one, _bin(one.days, first, span, len(starts))) for one in series]
    totals = [sum(binned[index] for _, binned in counts) for index in range(len(starts))]
    highest = max(totals, default=0) or 1

    lines, labels = _grid(highest)
    return Chart(
        caption=f"{what} for each {'day' if span == 1 else f'{span} days'}",
        height=_HEIGHT,
        bars=list(_bars(counts, starts, span, highest)),
        labels=[*labels, *_date_labels(starts)],
        lines=lines,
        legend=[(one.name, one.style) for one in series],
    )


def rows_by_name(rows: Sequence[tuple[str, int, str]], caption: str) -> Chart:
    """Lay out one horizontal bar for each (name, count, CSS class), all to the same scale."""
    highest = max((count for _, count, _ in rows), default=0) or 1
    bars, labels = list[Bar](), list[Label]()
    for index, (name, count, style) in enumerate(rows):
        y = index * _ROW
        width = round(max(count / highest * (_WIDTH - _LABEL - 90), 1 if count else 0), 1)
        bars.append(Bar(_LABEL, y + 4, width, _ROW - 8, style))
        labels.append(Label(_LABEL - 10, y + 17, name[:_MAX_NAME], "end"))
        labels.append(Label(round(_LABEL + width + 8, 1), y + 17, f"{count:,}"))

    return Chart(caption, _ROW * len(rows) + 4, bars, labels)


def _bin(days: Mapping[date, int], first: date, span: int, bins: int) -> list[int]:
    counts = [0] * bins
    for day, count in days.items():
        index = (day - first).days // span
        if 0 <= index < bins:
            counts[index] += count
    return counts


def _grid(highest: int) -> tuple[list[GridLine], list[Label]]:
    values = range(0, highest + 1, _step(highest))
    heights = [(value, _y(value, highest)) for value in values]
    lines = [GridLine(_LEFT, _WIDTH, y) for _, y in heights]
    return lines, [Label(_LEFT - 8, y + 4, f"{value:,}", "end") for value, y in heights]


def _step(highest: int) -> int:
    """The distance of grid lines: 1, 2 or 5 times a power of ten, for at most five of them."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= size * factor * 5:
                return size * factor
        size *= 10


def _y(value: float, highest: int) -> float:
    return round(_HEIGHT - _BOTTOM - value / highest * (_HEIGHT - _BOTTOM - _TOP), 1)


def _bars(
    counts: Sequence[tuple[Series, list[int]]], starts: Sequence[date], span: int, highest: int
) -> Iterator[Bar]:
    room = (_WIDTH - _LEFT - _RIGHT) / len(starts)
    width = min(max(room * 0.78, 1.5), 48)
    for index, start in enumerate(starts):
        x = round(_LEFT + index * room + (room - width) / 2, 1)
        days = str(start) if span == 1 else f"{start} to {start + timedelta(days=span - 1)}"
        below = 0

        for series, binned in counts:
            if not (count := binned[index]):
                continue
            top, bottom = _y(below + count, highest), _y(below, highest)
            title = f"{days}: {count:,} {series.name}"
            yield Bar(x, top, round(width, 1), round(bottom - top, 1), series.style, title)
            below += count


def _date_labels(starts: Sequence[date]) -> Iterator[Label]:
    """About eight labels; the last bars have none, so that the text stays inside the picture."""
    room = (_WIDTH - _LEFT - _RIGHT) / len(starts)
    every = max(len(starts) // 8, 1)
    for index in range(0, max(len(starts) - every // 2, 1), every):
        x = round(_LEFT + (index + 0.5) * room, 1)
        yield Label(x, _HEIGHT - 8, f"{starts[index]:%d %b %Y}", "middle")
