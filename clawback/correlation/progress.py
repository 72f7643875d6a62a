"""How far the entries of one group are from satisfying their correlation, for explanations.

`sliding_window` decides whether it is satisfied.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from clawback.correlation.aggregates import Bound, as_plain_number
from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    WindowEntry,
    aggregate_window,
    find_window,
    resolve_inner,
)
from clawback.model.durations import format_duration
from clawback.model.texts import plural


@dataclass(frozen=True, slots=True)
class Progress:
    """The window that satisfies a correlation, or else the one that comes closest.

    `seen` is the count in that window, `wanted` the count that is needed; of numbers, what they
    come to, and the bound.
    """

    is_satisfied: bool
    seen: int | float
    wanted: int | float
    missing: str
    window: tuple[WindowEntry, ...]

    def __str__(self) -> str:
        span = (
            f" from {self.window[0].at:%F %T} to {self.window[-1].at:%F %T}" if self.window else ""
        )
        return f"{self.seen} of {self.wanted} seen{span}" + (
            f"; missing: {self.missing}" if self.missing else ""
        )


def measure_progress(correlation: CorrelationWindow, entries: Sequence[WindowEntry]) -> Progress:
    """Measure the progress of a group; of equally close windows, the earliest."""
    entries = resolve_inner(correlation, entries)
    correlation = correlation.model_copy(update={"inner": {}})
    if correlation.bound is not None:
        return _measure_numbers(correlation, correlation.bound, entries)

    wanted = (
        len(correlation.rules)
        if correlation.type in {CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED}
        else correlation.at_least
    )
    found = find_window(correlation, entries)
    window = found or max(
        _windows(correlation, entries),
        key=lambda one: len(_counted(correlation, one)),
        default=(),
    )
    counted = _counted(correlation, window)
    return Progress(
        is_satisfied=found is not None,
        seen=len(counted),
        wanted=wanted,
        missing="" if found is not None else _missing(correlation, counted),
        window=window,
    )


def _measure_numbers(
    correlation: CorrelationWindow, bound: Bound, entries: Sequence[WindowEntry]
) -> Progress:
    found = find_window(correlation, entries)
    windows = [found] if found else list(_windows(correlation, entries))
    aggregates = [(aggregate_window(correlation, window), window) for window in windows]
    seen, window = min(
        ((aggregate, window) for aggregate, window in aggregates if aggregate is not None),
        key=lambda one: bound.distance(one[0]),
        default=(Fraction(), ()),
    )
    return Progress(
        is_satisfied=found is not None,
        seen=as_plain_number(seen),
        wanted=as_plain_number(bound.number),
        missing="" if found is not None else f"{_name_aggregate(correlation)} {bound}",
        window=window,
    )


def describe_correlation(correlation: CorrelationWindow, value: str | None = None) -> str:
    """Describe a correlation in a few words; `value` is the field whose values it takes."""
    within = f"within {format_duration(correlation.timespan)}"
    rules = [
        f"{name} ({describe_correlation(correlation.inner[name])})"
        if name in correlation.inner
        else name
        for name in correlation.rules
    ]
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return f"{correlation.at_least} or more events of {', '.join(rules)} {within}"
        case CorrelationType.VALUE_COUNT:
            counted = f"{correlation.at_least} or more values of {value or 'a field'}"
            return f"{counted} in events of {', '.join(rules)} {within}"
        case CorrelationType.TEMPORAL:
            return f"{' and '.join(rules)}, in any order, {within}"
        case CorrelationType.TEMPORAL_ORDERED:
            return f"{' then '.join(rules)} {within}"
        case _:
            name = f"{_name_aggregate(correlation)} of {value or 'a field'}"
            return f"{name} {correlation.bound} in events of {', '.join(rules)} {within}"


def _name_aggregate(correlation: CorrelationWindow) -> str:
    match correlation.type:
        case CorrelationType.VALUE_SUM:
            return "a sum"
        case CorrelationType.VALUE_AVG:
            return "an average"
        case CorrelationType.VALUE_MEDIAN:
            return "a median"
        case _:
            percentile = correlation.bound.percentile if correlation.bound else None
            return f"percentile {percentile}"


def _windows(
    correlation: CorrelationWindow, entries: Sequence[WindowEntry]
) -> Iterator[tuple[WindowEntry, ...]]:
    ordered = sorted(entries, key=lambda entry: (entry.at, entry.key))
    start = 0
    for end, newest in enumerate(ordered):
        while newest.at - ordered[start].at > correlation.timespan:
            start += 1
        yield tuple(ordered[start : end + 1])


def _counted(correlation: CorrelationWindow, window: Sequence[WindowEntry]) -> list[str]:
    """What a window counts: event keys, values, or the rules seen, in their order if it matters."""
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return list(dict.fromkeys(entry.key for entry in window))
        case CorrelationType.VALUE_COUNT:
            return list(dict.fromkeys(value for entry in window for value in entry.values))
        case CorrelationType.TEMPORAL:
            seen = {entry.rule for entry in window}
            return [rule for rule in correlation.rules if rule in seen]
        case CorrelationType.TEMPORAL_ORDERED:
            return _sequence(correlation.rules, window)
        case _:
            return []


def _sequence(rules: Sequence[str], window: Sequence[WindowEntry]) -> list[str]:
    """The longest beginning of a sequence of rules that a window has."""
    seen = 0
    for _, tied in groupby(window, key=lambda entry: entry.at):
        left = Counter(entry.rule for entry in tied)
        while seen < len(rules) and left[rules[seen]]:
            left[rules[seen]] -= 1
            seen += 1

    return list(rules[:seen])


def _missing(correlation: CorrelationWindow, counted: Sequence[str]) -> str:
    match correlation.type:
        case CorrelationType.EVENT_COUNT | CorrelationType.VALUE_COUNT:
            left = correlation.at_least - len(counted)
            what = "event" if correlation.type is CorrelationType.EVENT_COUNT else "value"
            return plural(left, f"more {what}")
        case CorrelationType.TEMPORAL:
            return ", ".join(rule for rule in correlation.rules if rule not in counted)
        case CorrelationType.TEMPORAL_ORDERED:
            after = f" after {counted[-1]}" if counted else ""
            return ", then ".join(correlation.rules[len(counted) :]) + after
        case _:
            return ""
