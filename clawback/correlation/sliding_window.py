"""Sliding windows in event time: whether the entries of one group satisfy a correlation.

Records arrive late and pages in any order. So a correlation holds if any window of its timespan
satisfies it, whatever the order of arrival. Source: Sigma correlation rules specification 2.1.
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
    """The correlation that must be satisfied before a case acts.

    `at_least` is the count to reach (`gte: n`, or `gt: n - 1`). `rules` are the referenced rules: a
    `temporal` window must contain all of them, a `temporal_ordered` one in this order, in which
    events of the same time count whatever came first. A referenced rule that is itself a
    correlation has its window in `inner`.
    """

    type: CorrelationType
    timespan: Duration
    at_least: int = 1
    rules: tuple[str, ...] = ()
    inner: dict[str, "CorrelationWindow"] = Field(default_factory=dict)

    @property
    def reach(self) -> timedelta:
        """How far back an event can lie and still count: nested timespans add up."""
        return self.timespan + max((one.reach for one in self.inner.values()), default=timedelta())

    @property
    def least_entries(self) -> int:
        """The fewest entries that can satisfy it, with those of inner correlations."""
        each = [self.inner[name].least_entries if name in self.inner else 1 for name in self.rules]
        match self.type:
            case CorrelationType.EVENT_COUNT:
                # An inner correlation matches again with every further entry.
                return min(each, default=1) + self.at_least - 1
            case CorrelationType.VALUE_COUNT:
                # Entries of one inner window have the same value, so each value needs a window.
                return min(each, default=1) * self.at_least
            case CorrelationType.TEMPORAL:
                return sum(dict(zip(self.rules, each, strict=True)).values())
            case CorrelationType.TEMPORAL_ORDERED:
                return sum(each)


class Link(Payload):
    """An event's place in one nested correlation: its group (hashed) and the counted value."""

    group: str
    value: str | None = None


class WindowEntry(Payload):
    """One matched event: its key, its time, the referenced rule it matched, the counted value.

    If the referenced rule is a correlation, `rule` is the path to the rule that matched, such as
    `burst/malicious_delivered`, and `links` has one item for each correlation on that path.
    """

    key: str
    at: UtcDatetime
    rule: str = ""
    value: str | None = None
    links: tuple[Link, ...] = ()


def find_window(
    correlation: CorrelationWindow, entries: Sequence[WindowEntry]
) -> tuple[WindowEntry, ...] | None:
    """Find the window with the earliest end that satisfies the correlation; None if none does.

    It runs in workflow code, which must return within two seconds, over thousands of entries: its
    cost is that of sorting them.
    """
    ordered = _ordered(correlation, entries)
    return next(
        (tuple(ordered[start : end + 1]) for start, end in _windows(correlation, ordered)), None
    )


def resolve_inner(
    correlation: CorrelationWindow, entries: Sequence[WindowEntry]
) -> Sequence[WindowEntry]:
    """Replace the entries of inner correlations by the matches of those correlations.

    An inner correlation matches again with every event that completes one of its windows, in each
    of its groups, so later events never take a match back. All events of such a group have the
    same value for the outer correlation, because that value is part of the group.
    """
    if not correlation.inner:
        return entries
    own, inner = list[WindowEntry](), dict[tuple[str, str], list[WindowEntry]]()
    for entry in entries:
        name = entry.rule.partition("/")[0]
        if not entry.links:
            own.append(entry)
        elif name in correlation.inner:
            inner.setdefault((name, entry.links[0].group), []).append(entry)
    for (name, group), some in inner.items():
        ordered = _ordered(correlation.inner[name], [_inner_entry(entry) for entry in some])
        for _, end in _windows(correlation.inner[name], ordered):
            newest = ordered[end]
            own.append(
                WindowEntry(
                    key=f"{name}/{group}/{newest.key}", at=newest.at, rule=name, value=some[0].value
                )
            )
    return own


def _inner_entry(entry: WindowEntry) -> WindowEntry:
    """The entry as the inner correlation counts it."""
    link, *further = entry.links
    path = entry.rule.partition("/")[2]
    return WindowEntry(
        key=entry.key, at=entry.at, rule=path, value=link.value, links=tuple(further)
    )


def _ordered(correlation: CorrelationWindow, entries: Sequence[WindowEntry]) -> list[WindowEntry]:
    return sorted(resolve_inner(correlation, entries), key=lambda entry: (entry.at, entry.key))


def _windows(
    correlation: CorrelationWindow, ordered: Sequence[WindowEntry]
) -> Iterator[tuple[int, int]]:
    """Yield the first and last position of every window that satisfies the correlation."""
    counter, start = _counter_of(correlation), 0
    for end, newest in enumerate(ordered):
        counter.enter(newest)
        while newest.at - ordered[start].at > correlation.timespan:
            counter.leave(ordered[start])
            start += 1
        if counter.holds_at(newest.at):
            yield start, end


class _WindowCounter(Protocol):
    """Counts while a window slides: entries enter at its end, in order, and leave at its start."""

    def enter(self, entry: WindowEntry) -> None: ...

    def leave(self, entry: WindowEntry) -> None: ...

    def holds_at(self, newest: datetime) -> bool:
        """Whether the window that ends at this time satisfies the correlation."""
        ...


class _DistinctCounter:
    """Satisfied by so many distinct values; None is no value."""

    def __init__(self, wanted: int, value_of: Callable[[WindowEntry], str | None]) -> None:
        self._wanted = wanted
        self._value_of = value_of
        self._counts = Counter[str]()

    def enter(self, entry: WindowEntry) -> None:
        if (value := self._value_of(entry)) is not None:
            self._counts[value] += 1

    def leave(self, entry: WindowEntry) -> None:
        if (value := self._value_of(entry)) is not None:
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]

    def holds_at(self, newest: datetime) -> bool:  # noqa: ARG002 - the protocol's signature
        return len(self._counts) >= self._wanted


class _SequenceCounter:
    """Satisfied by the rules one after the other; entries of the same time are in any order.

    Dynamic programming: for each rule, when the latest sequence that ends with it began. A sequence
    of fewer rules never began earlier, so a run of rules that the newest time completes extends the
    sequence before its first rule.
    """

    def __init__(self, rules: Sequence[str], timespan: timedelta) -> None:
        self._rules = rules
        self._timespan = timespan
        self._began: list[datetime | None] = [None] * len(rules)
        self._before = self._began
        self._now: datetime | None = None
        self._of_now = Counter[str]()

    def enter(self, entry: WindowEntry) -> None:
        if entry.at != self._now:
            self._now, self._before = entry.at, self._began.copy()
            self._of_now.clear()
        self._of_now[entry.rule] += 1

        first, run = 0, Counter[str]()
        for last, rule in enumerate(self._rules):
            run[rule] += 1
            while run[rule] > self._of_now[rule]:
                run[self._rules[first]] -= 1
                first += 1
            self._began[last] = self._before[first - 1] if first else entry.at

    def leave(self, entry: WindowEntry) -> None:
        """Nothing to do: `holds_at` compares when the sequence began."""

    def holds_at(self, newest: datetime) -> bool:
        began = self._began[-1] if self._began else newest
        return began is not None and newest - began <= self._timespan


def _counter_of(correlation: CorrelationWindow) -> _WindowCounter:
    rules = frozenset(correlation.rules)
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return _DistinctCounter(correlation.at_least, lambda entry: entry.key)
        case CorrelationType.VALUE_COUNT:
            return _DistinctCounter(correlation.at_least, lambda entry: entry.value)
        case CorrelationType.TEMPORAL:
            return _DistinctCounter(
                len(rules), lambda entry: entry.rule if entry.rule in rules else None
            )
        case CorrelationType.TEMPORAL_ORDERED:
            return _SequenceCounter(correlation.rules, correlation.timespan)
