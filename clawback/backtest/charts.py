"""Charts as inline SVG: no script, no font, no request.

Colours are the page's own variables, so they follow its light or dark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 240, 56, 28, 12
_MOST_BARS = 60
_RIGHT = 40
_SPANS = (1, 7, 28, 91, 182, 364)
_ROW = 26
_LABEL = 250


@dataclass(frozen=True)
class Series:
    """One colour of a stacked chart: a name, a CSS class and a count for each day."""

    name: str
    style: str
    days: Mapping[date, int]


def bars_by_day(series: Sequence[Series], first: date, last: date, what: str) -> str:
    """Draw stacked bars over time; days are put together until there are few enough bars to see."""
    span = next((one for one in _SPANS if ((last - first).days // one) < _MOST_BARS), _SPANS[-1])
    starts = [
        first + timedelta(days=number * span) for number in range((last - first).days // span + 1)
    ]
    binned = [(one, _binned(one.days, first, span, len(starts))) for one in series]
    highest = (
        max((sum(counts[index] for _, counts in binned) for index in range(len(starts))), default=0)
        or 1
    )
    parts = [*_grid(highest), *_bars(binned, starts, span, highest), *_dates(starts)]
    legend = "".join(
        f'<span class="key"><i class="{one.style}"></i>{escape(one.name)}</span>' for one in series
    )
    each = "day" if span == 1 else f"{span} days"
    label = escape(f"{what} for each {each}")
    svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{label} {legend}</figcaption>{svg}</figure>"


def rows_by_name(rows: Sequence[tuple[str, int, str]], what: str) -> str:
    """Draw one horizontal bar for each (name, count, CSS class), the largest scale for all."""
    highest = max((count for _, count, _ in rows), default=0) or 1
    height = _ROW * len(rows) + 4
    parts = []
    for index, (name, count, style) in enumerate(rows):
        y = index * _ROW
        width = max(count / highest * (_WIDTH - _LABEL - 90), 1 if count else 0)
        parts.append(f'<text x="{_LABEL - 10}" y="{y + 17}" class="end">{escape(name[:36])}</text>')
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" rx="3" class="{style}"/>'
        )
        parts.append(f'<text x="{_LABEL + width + 8:.1f}" y="{y + 17}">{count:,}</text>')
    label = escape(what)
    svg = f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{label}</figcaption>{svg}</figure>"


def _binned(days: Mapping[date, int], first: date, span: int, bins: int) -> list[int]:
    counts = [0] * bins
    for day, count in days.items():
        index = (day - first).days // span
        if 0 <= index < bins:
            counts[index] += count
    return counts


def _grid(highest: int) -> Iterator[str]:
    step = _step(highest)
    for value in range(0, highest + 1, step):
        y = _y(value, highest)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" class="end">{value:,}</text>'


def _step(highest: int) -> int:
    size = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= size * factor * 5:
                return size * factor
        size *= 10


def _y(value: float, highest: int) -> float:
    return _HEIGHT - _BOTTOM - value / highest * (_HEIGHT - _BOTTOM - _TOP)


def _bars(
    binned: Sequence[tuple[Series, list[int]]], starts: Sequence[date], span: int, highest: int
) -> Iterator[str]:
    room = (_WIDTH - _LEFT - _RIGHT) / len(starts)
    width = min(max(room * 0.78, 1.5), 48)
    for index, start in enumerate(starts):
        x = _LEFT + index * room + (room - width) / 2
        below = 0
        for one, counts in binned:
            if not (count := counts[index]):
                continue
            top, bottom = _y(below + count, highest), _y(below, highest)
            until = start + timedelta(days=span - 1)
            said = f"{start}{'' if span == 1 else f' to {until}'}: {count:,} {one.name}"
            rect = f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" class="{one.style}">'
            yield f"{rect}<title>{escape(said)}</title></rect>"
            below += count


def _dates(starts: Sequence[date]) -> Iterator[str]:
    room = (_WIDTH - _LEFT - _RIGHT) / len(starts)
    every = max(len(starts) // 8, 1)
    for index in range(0, max(len(starts) - every // 2, 1), every):
        x = _LEFT + (index + 0.5) * room
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 8}" class="middle">{starts[index]:%d %b %Y}</text>'
