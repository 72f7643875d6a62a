"""Sliding windows in event time: whether the entries of one group satisfy a correlation.

Records arrive late and pages in any order. So a correlation holds if any window of its timespan
satisfies it, whatever the order of arrival. Source: Sigma correlation rules specification 2.1.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from pydantic import Field

from clawback.correlation.aggregates import Bound, Numbers, parse_number
from clawback.model.durations import Duration
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class CorrelationType(StrEnum):
    """The Sigma correlation types that can be decided while events keep arriving."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_MEDIAN = "value_median"
    VALUE_PERCENTILE = "value_percentile"

    @property
    def is_aggregate(self) -> bool:
        """Whether it compares what the numbers of a window come to."""
        return self in _AGGREGATES


_AGGREGATES = frozenset(
    {
        CorrelationType.VALUE_SUM,
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_MEDIAN,
        CorrelationType.VALUE_PERCENTILE,
    }
)


def _is_none(value: object) -> bool:
    return value is None


class CorrelationWindow(Payload):
    """The correlation that must be satisfied before a case acts.

    `at_least` is the count to reach (`gte: n`, or `gt: n - 1`), `bound` what the numbers of a
    window must come to. `rules` are the referenced rules: a
    `temporal` window must contain all of them, a `temporal_ordered` one in this order, in which
    events of the same time count whatever came first. A referenced rule that is itself a
    correlation has its window in `inner`.
    """

    type: CorrelationType
    timespan: Duration
    at_least: int = 1
    bound: Bound | None = Field(default=None, exclude_if=_is_none)
    rules: tuple[str, ...] = ()
    inner: dict[str, "CorrelationWindow"] = Field(default_factory=dict)

    @property
    def reach(self) -> timedelta:
        """How far back an event can lie and still count: nested timespans add up."""
        return self.timespan + max((one.reach for one in self.inner.values()), default=timedelta())

    @property
    def least_entries(self) -> int:
        """The fewest entries of one value each that can satisfy it, also inner correlations."""
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
            case _:
                return min(each, default=1)


class Link(Payload):
    """An event's place in one nested correlation: its group (hashed) and the counted values."""

    group: str
    values: tuple[str, ...] = ()


class WindowEntry(Payload):
    """One matched event: its key, its time, the referenced rule it matched, the counted values.

    If the referenced rule is a correlation, `rule` is the path to the rule that matched, such as
    `burst/malicious_delivered`, and `links` has one item for each correlation on that path.
    """

    key: str
    at: UtcDatetime
    rule: str = ""
    values: tuple[str, ...] = ()
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
                    key=f"{name}/{group}/{newest.key}",
                    at=newest.at,
                    rule=name,
                    values=some[0].values,
                )
            )
    return own


def _inner_entry(entry: WindowEntry) -> WindowEntry:
    """The entry as the inner correlation counts it."""
    link, *further = entry.links
    path = entry.rule.partition("/")[2]
    return WindowEntry(
        key=entry.key, at=entry.at, rule=path, values=link.values, links=tuple(further)
    )


def _ordered(correlation: CorrelationWindow, entries: Sequence[WindowEntry]) -> list[WindowEntry]:
    # The values decide which state of a record that changed comes first.
    return sorted(
        resolve_inner(correlation, entries), key=lambda entry: (entry.at, entry.key, entry.values)
    )


def _windows(
    correlation: CorrelationWindow, ordered: Sequence[WindowEntry]
) -> Iterator[tuple[int, int]]:
    """Yield the first and last position of every window that satisfies the correlation.

    What numbers come to may satisfy it for a moment only, so all events of one time enter first.
    """
    counter, start = _counter_of(correlation), 0
    is_aggregate = correlation.type.is_aggregate
    for end, newest in enumerate(ordered):
        counter.enter(newest)
        while newest.at - ordered[start].at > correlation.timespan:
            counter.leave(ordered[start])
            start += 1
        if is_aggregate and end + 1 < len(ordered) and ordered[end + 1].at == newest.at:
            continue
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
    """Satisfied by so many distinct values."""

    def __init__(self, wanted: int, values_of: Callable[[WindowEntry], Sequence[str]]) -> None:
        self._wanted = wanted
        self._values_of = values_of
        self._counts = Counter[str]()

    def enter(self, entry: WindowEntry) -> None:
        for value in self._values_of(entry):
            self._counts[value] += 1

    def leave(self, entry: WindowEntry) -> None:
        for value in self._values_of(entry):
            self._counts[value] -= 1
            if not self._counts[value]:
                del self._counts[value]

    def holds_at(self, newest: datetime) -> bool:  # noqa: ARG002 - the protocol's signature
        return len(self._counts) >= self._wanted


class _AggregateCounter:
    """Satisfied if the numbers of the window come to what is wanted; each event counts once.

    A record that changed, and an event that matches several rules, are several entries of one key:
    the number of the first of them counts.
    """

    def __init__(self, kind: CorrelationType, bound: Bound) -> None:
        self._kind = kind
        self._bound = bound
        self._numbers = Numbers()
        self._counts = Counter[str]()
        self._counted: dict[str, Fraction] = {}

    def enter(self, entry: WindowEntry) -> None:
        number = _number_of(entry)
        if number is None:
            return
        self._counts[entry.key] += 1
        if entry.key not in self._counted:
            self._counted[entry.key] = number
            self._numbers.add(number)

    def leave(self, entry: WindowEntry) -> None:
        if _number_of(entry) is None:
            return
        self._counts[entry.key] -= 1
        if not self._counts[entry.key]:
            self._numbers.remove(self._counted.pop(entry.key))

    def holds_at(self, newest: datetime) -> bool:  # noqa: ARG002 - the protocol's signature
        aggregate = self.aggregate()
        return aggregate is not None and self._bound.is_met_by(aggregate)

    def aggregate(self) -> Fraction | None:
        """What the numbers come to; None without a number."""
        if not len(self._numbers):
            return None
        match self._kind:
            case CorrelationType.VALUE_SUM:
                return self._numbers.sum
            case CorrelationType.VALUE_AVG:
                return self._numbers.average
            case CorrelationType.VALUE_MEDIAN:
                return self._numbers.median
            case _:
                return self._numbers.percentile(self._bound.percentile or 100)


def aggregate_window(
    correlation: CorrelationWindow, window: Sequence[WindowEntry]
) -> Fraction | None:
    """What the numbers of a window come to; None without a number."""
    counter = _AggregateCounter(correlation.type, _bound_of(correlation))
    for entry in window:
        counter.enter(entry)
    return counter.aggregate()


def _bound_of(correlation: CorrelationWindow) -> Bound:
    if correlation.bound is None:
        raise ValueError(f"a {correlation.type} without a bound")
    return correlation.bound


def _number_of(entry: WindowEntry) -> Fraction | None:
    return parse_number(entry.values[0]) if entry.values else None


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
            return _DistinctCounter(correlation.at_least, lambda entry: (entry.key,))
        case CorrelationType.VALUE_COUNT:
            return _DistinctCounter(correlation.at_least, lambda entry: entry.values)
        case CorrelationType.TEMPORAL:
            return _DistinctCounter(
                len(rules), lambda entry: (entry.rule,) if entry.rule in rules else ()
            )
        case CorrelationType.TEMPORAL_ORDERED:
            return _SequenceCounter(correlation.rules, correlation.timespan)
        case _:
            return _AggregateCounter(correlation.type, _bound_of(correlation))
