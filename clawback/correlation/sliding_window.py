"""Sliding windows in event time: whether the sightings of one group ever satisfy a correlation.

Pure and order-independent: records arrive late and pages come in any order, so a threshold holds if
any window of the timespan satisfies it, whatever the order in which its sightings became known.
Source: Sigma correlation rules specification 2.1.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from clawback.model.durations import Duration
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class CorrelationType(StrEnum):
    """The Sigma correlation types that can be decided while events keep arriving."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


class CorrelationWindow(Payload):
    """What a case waits for before it acts.

    `at_least` is the count that must be reached (`gte: n`, or `gt: n - 1`); `rules` the referenced
    rules, all of which must be seen in a `temporal` window, in this order for `temporal_ordered`. A
    rule that is a correlation itself has its own watch in `inner`.
    """

    type: CorrelationType
    timespan: Duration
    at_least: int = 1
    rules: tuple[str, ...] = ()
    inner: dict[str, "CorrelationWindow"] = Field(default_factory=dict)

    @property
    def reach(self) -> timedelta:
        """How far back an event may be that still counts.

        The timespans of a chain one after the other.
        """
        return self.timespan + max(
            (watch.reach for watch in self.inner.values()), default=timedelta()
        )


class Link(Payload):
    """What an event is to one correlation of a chain.

    The group it belongs to (hashed), and the value that is counted there.
    """

    group: str
    value: str | None = None


class WindowEntry(Payload):
    """One matched event as a window sees it.

    Its key, its time, the referenced rule it matched, and the value that is counted.

    Where the referenced rule is a correlation, `rule` is the way to the rule that matched
    (`burst/malicious_delivered`), and `links` has what the event is to each correlation on that
    way.
    """

    key: str
    at: UtcDatetime
    rule: str = ""
    value: str | None = None
    links: tuple[Link, ...] = ()


def find_window(
    watch: CorrelationWindow, sightings: Sequence[WindowEntry]
) -> tuple[WindowEntry, ...] | None:
    """Find the earliest window (by its end) that satisfies the correlation.

    None while there is none.

    Costs as much as sorting: a case may hold thousands of sightings, and workflow code must come
    back within two seconds.
    """
    ordered = _ordered(watch, sightings)
    return next((tuple(ordered[start : end + 1]) for start, end in _windows(watch, ordered)), None)


def resolve_inner(
    watch: CorrelationWindow, sightings: Sequence[WindowEntry]
) -> Sequence[WindowEntry]:
    """Give the sightings as the watch itself counts them.

    Those of an inner correlation become its matches.

    An inner correlation matches anew with every event that completes one of its windows, in each of
    its groups; so what is seen later never takes a match back. All events of such a group have the
    value that the outer correlation counts, since it is part of the group.
    """
    if not watch.inner:
        return sightings
    own, inner = list[WindowEntry](), dict[tuple[str, str], list[WindowEntry]]()
    for sighting in sightings:
        name = sighting.rule.partition("/")[0]
        if not sighting.links:
            own.append(sighting)
        elif name in watch.inner:
            inner.setdefault((name, sighting.links[0].group), []).append(sighting)
    for (name, group), some in inner.items():
        ordered = _ordered(watch.inner[name], [_within(sighting) for sighting in some])
        for _, end in _windows(watch.inner[name], ordered):
            newest = ordered[end]
            own.append(
                WindowEntry(
                    key=f"{name}/{group}/{newest.key}", at=newest.at, rule=name, value=some[0].value
                )
            )
    return own


def _within(sighting: WindowEntry) -> WindowEntry:
    """A sighting as the inner correlation sees it."""
    link, *further = sighting.links
    way = sighting.rule.partition("/")[2]
    return WindowEntry(
        key=sighting.key, at=sighting.at, rule=way, value=link.value, links=tuple(further)
    )


def _ordered(watch: CorrelationWindow, sightings: Sequence[WindowEntry]) -> list[WindowEntry]:
    return sorted(resolve_inner(watch, sightings), key=lambda sighting: (sighting.at, sighting.key))


def _windows(watch: CorrelationWindow, ordered: Sequence[WindowEntry]) -> Iterator[tuple[int, int]]:
    """Give every window that satisfies the correlation, by its end.

    The positions of its first and its last sighting.
    """
    tally, start = _tally(watch), 0
    for end, newest in enumerate(ordered):
        tally.enter(newest)
        while newest.at - ordered[start].at > watch.timespan:
            tally.leave(ordered[start])
            start += 1
        if tally.holds_at(newest.at):
            yield start, end


class _Tally(Protocol):
    """What is counted while a window slides.

    Sightings enter at its end, in order, and leave at its start.
    """

    def enter(self, sighting: WindowEntry) -> None: ...

    def leave(self, sighting: WindowEntry) -> None: ...

    def holds_at(self, newest: datetime) -> bool:
        """Whether the window that ends at this moment satisfies the correlation."""
        ...


class _Distinct:
    """So many different values; None is no value."""

    def __init__(self, wanted: int, value_of: Callable[[WindowEntry], str | None]) -> None:
        self._wanted = wanted
        self._value_of = value_of
        self._counts = Counter[str]()

    def enter(self, sighting: WindowEntry) -> None:
        if (value := self._value_of(sighting)) is not None:
            self._counts[value] += 1

    def leave(self, sighting: WindowEntry) -> None:
        if (value := self._value_of(sighting)) is not None:
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]

    def holds_at(self, newest: datetime) -> bool:  # noqa: ARG002 - the others need it
        return len(self._counts) >= self._wanted


class _Chain:
    """The rules one after the other.

    For each, when the youngest chain that has come as far as it began.
    """

    def __init__(self, rules: Sequence[str], timespan: timedelta) -> None:
        self._rules = rules
        self._timespan = timespan
        self._began: list[datetime | None] = [None] * len(rules)

    def enter(self, sighting: WindowEntry) -> None:
        for index in reversed(range(len(self._rules))):  # from the last: one sighting is one link
            if (
                self._rules[index] == sighting.rule
                and (before := self._began[index - 1] if index else sighting.at) is not None
            ):
                self._began[index] = before

    def leave(self, sighting: WindowEntry) -> None:
        """A chain that began before the window is told by its time."""

    def holds_at(self, newest: datetime) -> bool:
        began = self._began[-1] if self._began else newest
        return began is not None and newest - began <= self._timespan


def _tally(watch: CorrelationWindow) -> _Tally:
    rules = frozenset(watch.rules)
    match watch.type:
        case CorrelationType.EVENT_COUNT:
            return _Distinct(watch.at_least, lambda sighting: sighting.key)
        case CorrelationType.VALUE_COUNT:
            return _Distinct(watch.at_least, lambda sighting: sighting.value)
        case CorrelationType.TEMPORAL:
            return _Distinct(
                len(rules), lambda sighting: sighting.rule if sighting.rule in rules else None
            )
        case CorrelationType.TEMPORAL_ORDERED:
            return _Chain(watch.rules, watch.timespan)
