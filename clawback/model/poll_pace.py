"""How long the windows of a poller are, and how fast it reads. Pure."""

from datetime import datetime, timedelta
from math import ceil

from clawback.model.polling import PollerStart, Window

BACKFILL_SPAN = timedelta(minutes=15)
"""The longest window of the backfill lane, unless windows are so empty that one page holds more."""
LONGEST_SPAN = timedelta(days=180)
"""The longest window where mail is that sparse: years of history take a dozen requests."""
_MOST_GROWTH = 8
_SMOOTHING = 0.3


def estimate_pages(window: Window, start: PollerStart) -> int:
    """Estimate the pages of the lookback by how many records a live window had."""
    share = start.lookback / max(window.range.length, timedelta(seconds=1))
    return max(1, ceil(window.records * share / start.page_size))


def next_span(span: timedelta, window: Window, page_size: int) -> timedelta:
    """Return the next length of windows: one page each where mail is sparse, else 15 minutes."""
    if window.pages > 1:
        return max(min(span, window.range.length) / window.pages, BACKFILL_SPAN)
    if window.range.length < span:  # the end of a range says nothing about longer windows
        return span

    # Half a page leaves room for mail that is not spread evenly.
    growth = page_size / 2 / max(window.records, 1)
    return min(span * min(max(growth, 1), _MOST_GROWTH), LONGEST_SPAN)


def measure_pace(pace: float | None, window: Window, now: datetime) -> float:
    took = max(now - window.started_at, timedelta(milliseconds=1))
    latest = window.range.length / took
    return latest if pace is None else pace + _SMOOTHING * (latest - pace)
