"""Sorted lists of disjoint time ranges: what a poller has still to read. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MOST_RANGES = 32
"""A longer list joins its nearest neighbours: that reads more, and never less."""


class TimeRange(Payload):
    """The times from `start` up to and without `end`."""

    start: UtcDatetime
    end: UtcDatetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


TimeRanges = tuple[TimeRange, ...]


def add_range(ranges: Sequence[TimeRange], new: TimeRange) -> TimeRanges:
    """Add a range, joined with those that it overlaps or touches; an empty one changes nothing."""
    if new.start >= new.end:
        return tuple(ranges)

    apart = [one for one in ranges if one.end < new.start or new.end < one.start]
    near = [new, *(one for one in ranges if one not in apart)]
    joined = TimeRange(start=min(one.start for one in near), end=max(one.end for one in near))
    found = sorted([*apart, joined], key=lambda one: one.start)

    while len(found) > MOST_RANGES:
        found = _join_nearest(found)

    return tuple(found)


def take_first(ranges: Sequence[TimeRange], span: timedelta) -> tuple[TimeRange, TimeRanges]:
    """Take at most `span` from the start of the first range; return it and what is left."""
    first, *others = ranges
    end = min(first.end, first.start + span)
    left = [TimeRange(start=end, end=first.end)] if end < first.end else []
    return TimeRange(start=first.start, end=end), (*left, *others)


def total_length(ranges: Sequence[TimeRange]) -> timedelta:
    """Return how much time the ranges cover."""
    return sum((one.length for one in ranges), timedelta())


def _join_nearest(ranges: Sequence[TimeRange]) -> list[TimeRange]:
    gaps = [after.start - before.end for before, after in pairwise(ranges)]
    at = gaps.index(min(gaps))
    joined = TimeRange(start=ranges[at].start, end=ranges[at + 1].end)
    return [*ranges[:at], joined, *ranges[at + 2 :]]
