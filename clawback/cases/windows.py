"""Sliding windows in event time: whether the sightings of one group ever satisfy a correlation.

Pure and order-independent: records arrive late and pages come in any order, so a threshold holds if any window of the timespan
satisfies it, whatever the order in which its sightings became known. Source: Sigma correlation rules specification 2.1.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

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
    """Find the earliest window (by its end) that satisfies the correlation; None while there is none.

    Costs as much as sorting: a case may hold thousands of sightings, and workflow code must come back within two seconds.
    """
    ordered = sorted(sightings, key=lambda sighting: (sighting.at, sighting.key))
    tally, start = _tally(watch), 0
    for end, newest in enumerate(ordered):
        tally.enter(newest)
        while newest.at - ordered[start].at > watch.timespan:
            tally.leave(ordered[start])
            start += 1
        if tally.holds_at(newest.at):
            return tuple(ordered[start : end + 1])
    return None


class _Tally(Protocol):
    """What is counted while a window slides: sightings enter at its end, in order, and leave at its start."""

    def enter(self, sighting: Sighting) -> None: ...

    def leave(self, sighting: Sighting) -> None: ...

    def holds_at(self, newest: datetime) -> bool:
        """Whether the window that ends at this moment satisfies the correlation."""
        ...


class _Distinct:
    """So many different values; None is no value."""

    def __init__(self, wanted: int, value_of: Callable[[Sighting], str | None]) -> None:
        self._wanted = wanted
        self._value_of = value_of
        self._counts = Counter[str]()

    def enter(self, sighting: Sighting) -> None:
        if (value := self._value_of(sighting)) is not None:
            self._counts[value] += 1

    def leave(self, sighting: Sighting) -> None:
        if (value := self._value_of(sighting)) is not None:
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]

    def holds_at(self, newest: datetime) -> bool:  # noqa: ARG002 - the others need it
        return len(self._counts) >= self._wanted


class _Chain:
    """The rules one after the other: for each, when the youngest chain that has come as far as it began."""

    def __init__(self, rules: Sequence[str], timespan: timedelta) -> None:
        self._rules = rules
        self._timespan = timespan
        self._began: list[datetime | None] = [None] * len(rules)

    def enter(self, sighting: Sighting) -> None:
        for index in reversed(range(len(self._rules))):  # from the last: one sighting is one link
            if self._rules[index] == sighting.rule and (before := self._began[index - 1] if index else sighting.at) is not None:
                self._began[index] = before

    def leave(self, sighting: Sighting) -> None:
        """A chain that began before the window is told by its time."""

    def holds_at(self, newest: datetime) -> bool:
        began = self._began[-1] if self._began else newest
        return began is not None and newest - began <= self._timespan


def _tally(watch: Watch) -> _Tally:
    rules = frozenset(watch.rules)
    match watch.type:
        case WatchType.EVENT_COUNT:
            return _Distinct(watch.at_least, lambda sighting: sighting.key)
        case WatchType.VALUE_COUNT:
            return _Distinct(watch.at_least, lambda sighting: sighting.value)
        case WatchType.TEMPORAL:
            return _Distinct(len(rules), lambda sighting: sighting.rule if sighting.rule in rules else None)
        case WatchType.TEMPORAL_ORDERED:
            return _Chain(watch.rules, watch.timespan)
