"""How much was spent in a sliding window.

Counted in minutes for hours, and in hours for days, so that its size is bounded.

A window is rounded outwards: a minute (or an hour) that began before the window counts whole. So a
budget is never exceeded in any window, and may be reached up to one such step early.
"""

from datetime import datetime, timedelta

from pydantic import Field

from clawback.model.payload import Payload

MINUTE, HOUR = 60, 3600
FINE = timedelta(hours=2)
"""Windows up to this long are counted in minutes."""
LONGEST = timedelta(days=7)
"""The longest window; what is older is forgotten."""


class SlidingCounter(Payload):
    """What was spent, by minute and by hour since 1970."""

    minutes: dict[int, int] = Field(default_factory=dict)
    hours: dict[int, int] = Field(default_factory=dict)

    def spent(self, per: timedelta, now: datetime) -> int:
        """Sum up what was spent in the window that ends now."""
        step, counts = (MINUTE, self.minutes) if per <= FINE else (HOUR, self.hours)
        start = (now - per).timestamp()
        return sum(count for index, count in counts.items() if (index + 1) * step > start)

    def rate(self, now: datetime) -> float:
        """Average of the hours before the last one, over the time that is known.

        0 where nothing is.
        """
        last = int((now - timedelta(hours=1)).timestamp()) // HOUR
        before = {index: count for index, count in self.hours.items() if index < last}
        return sum(before.values()) / (last - min(before)) if before else 0.0

    def with_spent(self, count: int, at: datetime) -> "SlidingCounter":
        """The same and so much more; less where the count is negative.

        What no window reaches any more is dropped.
        """
        second = int(at.timestamp())
        return SlidingCounter(
            minutes=_added(
                self.minutes, second // MINUTE, count, int(FINE.total_seconds()) // MINUTE
            ),
            hours=_added(self.hours, second // HOUR, count, int(LONGEST.total_seconds()) // HOUR),
        )


def _added(counts: dict[int, int], index: int, count: int, reach: int) -> dict[int, int]:
    newest = max(index, *counts) if counts else index
    kept = {one: number for one, number in counts.items() if one >= newest - reach}
    if index >= newest - reach:
        kept[index] = max(kept.get(index, 0) + count, 0)
    return kept
