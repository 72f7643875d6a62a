"""Sliding windows in event time: whether the sightings of one group ever satisfy a correlation.

Pure and order-independent: records arrive late and pages come in any order, so a threshold holds if any window of the timespan
satisfies it, whatever the order in which its sightings became known. Source: Sigma correlation rules specification 2.1.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

from clawback.actions.registry import Duration
from clawback.payloads import Payload, UtcDatetime


class WatchType(StrEnum):
    """The Sigma correlation types that can be decided while events keep arriving."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


class Watch(Payload):
    """What a case waits for before it acts.

    `at_least` is the count that must be reached (`gte: n`, or `gt: n - 1`); `rules` the referenced rules, all of which must be seen in
    a `temporal` window, in this order for `temporal_ordered`.
    """

    type: WatchType
    timespan: Duration
    at_least: int = 1
    rules: tuple[str, ...] = ()


class Sighting(Payload):
    """One matched event as a window sees it: its key, its time, the referenced rule it matched, and the value that is counted."""

    key: str
    at: UtcDatetime
    rule: str = ""
    value: str | None = None


def first_window(watch: Watch, sightings: Sequence[Sighting]) -> tuple[Sighting, ...] | None:
    """Find the earliest window (by its end) that satisfies the correlation; None while there is none."""
    for window in _windows(watch, sightings):
        if _satisfies(watch, window):
            return tuple(window)
    return None


def _windows(watch: Watch, sightings: Sequence[Sighting]) -> Iterator[Sequence[Sighting]]:
    ordered = sorted(sightings, key=lambda sighting: (sighting.at, sighting.key))
    start = 0
    for end, newest in enumerate(ordered):
        while newest.at - ordered[start].at > watch.timespan:
            start += 1
        yield ordered[start : end + 1]


def _satisfies(watch: Watch, window: Sequence[Sighting]) -> bool:
    match watch.type:
        case WatchType.EVENT_COUNT:
            return len({sighting.key for sighting in window}) >= watch.at_least
        case WatchType.VALUE_COUNT:
            return len({sighting.value for sighting in window if sighting.value is not None}) >= watch.at_least
        case WatchType.TEMPORAL:
            return not Counter(set(watch.rules)) - Counter({sighting.rule for sighting in window})
        case WatchType.TEMPORAL_ORDERED:
            seen = iter([sighting.rule for sighting in window])
            return all(any(rule == other for other in seen) for rule in watch.rules)
