"""Counts what was spent in sliding windows, in bounded space.

Short windows are counted by the minute, long ones by the hour. A window is rounded outwards: a
minute or hour that began before it counts whole. So no window ever exceeds its budget, and a budget
may be used up at most one minute or hour early.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from clawback.model.payload import Payload

MINUTE, HOUR = 60, 3600
FINE = timedelta(hours=2)
"""Windows up to this long are counted by the minute."""
LONGEST = timedelta(days=7)
"""The longest window; what is older is dropped."""


def _to_list(counts: Mapping[int, int]) -> list[int]:
    """Encode counts as the first index and then each count: a few bytes for each."""
    if not counts:
        return []
    first, last = min(counts), max(counts)
    return [first, *(counts.get(index, 0) for index in range(first, last + 1))]


def _to_counts(encoded: Any) -> Any:
    if not isinstance(encoded, list) or not encoded:
        return encoded or {}
    first, *counts = encoded
    return {first + offset: count for offset, count in enumerate(counts) if count}


Counts = Annotated[dict[int, int], BeforeValidator(_to_counts), PlainSerializer(_to_list)]
"""What was spent by index; indexes lie close together, so the JSON is a list."""


class SlidingCounter(Payload):
    """What was spent, by minute and by hour since 1970."""

    minutes: Counts = Field(default_factory=dict)
    hours: Counts = Field(default_factory=dict)

    def spent(self, per: timedelta, now: datetime) -> int:
        """What was spent in the window that ends now."""
        step, counts = (MINUTE, self.minutes) if per <= FINE else (HOUR, self.hours)
        start = (now - per).timestamp()
        return sum(count for index, count in counts.items() if (index + 1) * step > start)

    def rate(self, now: datetime) -> float:
        """The average hour before the last one, over the time that is counted; 0 without any."""
        # Without the last hour, or a surge would raise the rate that it is compared with.
        last = int((now - timedelta(hours=1)).timestamp()) // HOUR
        before = {index: count for index, count in self.hours.items() if index < last}
        return sum(before.values()) / (last - min(before)) if before else 0.0

    def with_spent(self, count: int, at: datetime) -> "SlidingCounter":
        """The same with `count` more; negative counts refund. Drops what no window reaches."""
        second = int(at.timestamp())
        return SlidingCounter(
            minutes=_add(
                self.minutes, second // MINUTE, count, int(FINE.total_seconds()) // MINUTE
            ),
            hours=_add(self.hours, second // HOUR, count, int(LONGEST.total_seconds()) // HOUR),
        )


def _add(counts: dict[int, int], index: int, count: int, reach: int) -> dict[int, int]:
    newest = max(index, *counts) if counts else index
    kept = {one: number for one, number in counts.items() if one >= newest - reach}
    if index >= newest - reach:
        kept[index] = max(kept.get(index, 0) + count, 0)
    return kept
