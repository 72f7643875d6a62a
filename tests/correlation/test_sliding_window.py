"""Sliding windows against a brute-force oracle that tries every set of entries in the timespan."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, permutations
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.correlation.aggregates import Bound, Comparison, Numbers, parse_number
from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    Link,
    WindowEntry,
    find_window,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES: list[tuple[str, ...]] = [(), ("x",), ("y",), ("x", "y"), ("1",), ("-2",), ("4", "x")]
ENTRIES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.sampled_from(VALUES)), max_size=6
).map(
    lambda rows: [
        WindowEntry(key=str(number), at=EPOCH + hour * HOUR, rule=rule, values=values)
        for number, (hour, rule, values) in enumerate(rows)
    ]
)
AGGREGATES = [kind for kind in CorrelationType if kind.is_aggregate]
COUNTS = [kind for kind in CorrelationType if not kind.is_aggregate]
BOUNDS = st.builds(
    Bound,
    comparison=st.sampled_from(list(Comparison)),
    number=st.sampled_from([-2, 0, 0.5, 1, 1.5, 4, 5]),
    percentile=st.sampled_from([1, 50, 75, 100]),
)


def oracle(correlation: CorrelationWindow, entries: Sequence[WindowEntry]) -> bool:
    """Check by brute force whether any subset within the timespan satisfies the correlation.

    Numbers are those of all entries before one of them and within the timespan.
    """
    if correlation.type.is_aggregate:
        windows = [
            [s for s in entries if last.at - correlation.timespan <= s.at <= last.at]
            for last in entries
        ]
        return any(holds(correlation, window) for window in windows)
    for size in range(1, len(entries) + 1):
        for some in combinations(entries, size):
            if max(s.at for s in some) - min(s.at for s in some) <= correlation.timespan and holds(
                correlation, some
            ):
                return True
    return False


def holds(correlation: CorrelationWindow, some: Sequence[WindowEntry]) -> bool:
    """Check one subset against the words of the Sigma specification."""
    match correlation.type:
        case CorrelationType.EVENT_COUNT:
            return len(some) >= correlation.at_least
        case CorrelationType.VALUE_COUNT:
            return len({value for s in some for value in s.values}) >= correlation.at_least
        case CorrelationType.TEMPORAL:
            return {s.rule for s in some} >= set(correlation.rules)
        case CorrelationType.TEMPORAL_ORDERED:
            return any(
                [s.rule for s in order] == list(correlation.rules)
                and all(a.at <= b.at for a, b in pairwise(order))
                for order in permutations(some)
            )
        case _:
            return come_to(correlation, some)


def come_to(correlation: CorrelationWindow, some: Sequence[WindowEntry]) -> bool:
    """Check what the numbers of some entries come to, with the statistics of Python."""
    texts = [entry.values[0] for entry in some if entry.values]
    numbers = sorted(float(text) for text in texts if text not in {"x", "y"})
    bound = correlation.bound
    if not numbers or bound is None:
        return False
    rank = max(-(-len(numbers) * (bound.percentile or 0) // 100), 1)
    found = {
        CorrelationType.VALUE_SUM: sum(numbers),
        CorrelationType.VALUE_AVG: mean(numbers),
        CorrelationType.VALUE_MEDIAN: median(numbers),
        CorrelationType.VALUE_PERCENTILE: numbers[rank - 1],
    }[correlation.type]
    return {
        Comparison.GT: found > bound.number,
        Comparison.GTE: found >= bound.number,
        Comparison.LT: found < bound.number,
        Comparison.LTE: found <= bound.number,
    }[bound.comparison]


@given(
    ENTRIES, st.integers(1, 4), st.integers(0, 6), st.sampled_from(list(CorrelationType)), BOUNDS
)
def test_windows_agree_with_brute_force(
    entries: list[WindowEntry], at_least: int, hours: int, kind: CorrelationType, bound: Bound
) -> None:
    """Every type of correlation finds a window exactly where the oracle finds a subset."""
    correlation = CorrelationWindow(
        type=kind, timespan=hours * HOUR, at_least=at_least, rules=("a", "b"), bound=bound
    )
    assert (find_window(correlation, entries) is not None) == oracle(correlation, entries)


@given(
    ENTRIES,
    st.integers(1, 4),
    st.integers(0, 6),
    st.sampled_from(COUNTS),
    st.lists(st.sampled_from("ab"), max_size=3),
)
def test_the_first_window_is_the_earliest(
    entries: list[WindowEntry], at_least: int, hours: int, kind: CorrelationType, rules: list[str]
) -> None:
    """It ends where the oracle first holds, and reaches back over the whole timespan.

    A rule may be named twice.
    """
    correlation = CorrelationWindow(
        type=kind, timespan=hours * HOUR, at_least=at_least, rules=tuple(rules)
    )
    ordered = sorted(entries, key=lambda entry: (entry.at, entry.key))
    windows = [
        tuple(s for s in ordered[: end + 1] if newest.at - s.at <= correlation.timespan)
        for end, newest in enumerate(ordered)
    ]
    assert find_window(correlation, entries) == next(
        (window for window in windows if any_holds(correlation, window)), None
    )


def any_holds(correlation: CorrelationWindow, window: Sequence[WindowEntry]) -> bool:
    """Say by brute force whether any subset of a window satisfies the correlation."""
    return any(
        holds(correlation, some)
        for size in range(len(window) + 1)
        for some in combinations(window, size)
    )


class Counted(str):  # noqa: SLOT000 - a test double
    """A value that counts how often it is looked at."""

    looks = 0

    def __hash__(self) -> int:
        """Count, and hash as a text."""
        Counted.looks += 1
        return super().__hash__()


def test_a_window_that_never_fills_costs_no_more_for_each_sighting() -> None:
    """The cost is linear: each of thousands of entries of one value is visited a few times."""
    correlation, value, many = (
        CorrelationWindow(type=CorrelationType.VALUE_COUNT, timespan=24 * HOUR, at_least=2),
        Counted("one"),
        5000,
    )
    entries = [
        WindowEntry.model_construct(
            key=str(n), at=EPOCH + n * timedelta(minutes=1), values=(value,)
        )
        for n in range(many)
    ]
    before = Counted.looks
    assert find_window(correlation, entries) is None
    assert Counted.looks - before < 10 * many


@given(
    ENTRIES.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))),
    st.integers(1, 4),
    st.integers(0, 6),
)
def test_the_order_of_arrival_does_not_matter(
    both: tuple[list[WindowEntry], list[WindowEntry]], at_least: int, hours: int
) -> None:
    """Late records and shuffled pages give the same window."""
    correlation = CorrelationWindow(
        type=CorrelationType.EVENT_COUNT, timespan=hours * HOUR, at_least=at_least
    )
    assert find_window(correlation, both[0]) == find_window(correlation, both[1])


def test_a_window_includes_both_its_ends() -> None:
    """Three events exactly 24 h apart from first to last are within 24 h; a second more is not."""
    correlation = CorrelationWindow(
        type=CorrelationType.EVENT_COUNT, timespan=24 * HOUR, at_least=3
    )
    times = [timedelta(), 20 * HOUR, 24 * HOUR]
    assert find_window(
        correlation, [WindowEntry(key=str(n), at=EPOCH + t) for n, t in enumerate(times)]
    )
    times[-1] += timedelta(seconds=1)
    assert not find_window(
        correlation, [WindowEntry(key=str(n), at=EPOCH + t) for n, t in enumerate(times)]
    )


CHAINED = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(["burst/a", "burst/b", "c"]),
        st.sampled_from("12"),
        st.sampled_from(VALUES),
    ),
    max_size=8,
).map(lambda rows: [_chained(number, *row) for number, row in enumerate(rows)])
KINDS = st.sampled_from(list(CorrelationType))


def _chained(number: int, hour: int, rule: str, group: str, values: tuple[str, ...]) -> WindowEntry:
    """One event, of the outer rule `c` or of a rule of the inner correlation `burst`."""
    links = (Link(group=group, values=values),) if "/" in rule else ()
    at = EPOCH + hour * HOUR
    return WindowEntry(key=str(number), at=at, rule=rule, values=(group,), links=links)


def with_one_value(entries: Sequence[WindowEntry]) -> list[WindowEntry]:
    """Leave one counted value to each entry."""
    return [
        one.model_copy(
            update={
                "links": tuple(Link(group=link.group, values=link.values[:1]) for link in one.links)
            }
        )
        for one in entries
    ]


ABOVE_NOTHING = Bound(comparison=Comparison.GT, number=0)


def matches_of_burst(inner: CorrelationWindow, entries: Sequence[WindowEntry]) -> list[WindowEntry]:
    """Say by brute force with which events, in which group, the inner correlation matches."""
    found = []
    for last in (one for one in entries if one.links):
        same = [one for one in entries if one.links and one.links[0].group == last.links[0].group]
        window = [
            one
            for one in same
            if last.at - inner.timespan <= one.at and (one.at, one.key) <= (last.at, last.key)
        ]
        plain = [
            WindowEntry(
                key=one.key, at=one.at, rule=one.rule.partition("/")[2], values=one.links[0].values
            )
            for one in window
        ]
        if inner.type.is_aggregate:
            is_last = all(one.key <= last.key for one in same if one.at == last.at)
            is_match = is_last and holds(inner, plain)
        else:
            is_match = any(
                holds(inner, some)
                for size in range(1, len(plain) + 1)
                for some in combinations(plain, size)
            )
        if is_match:
            key = f"match {last.key}"
            found.append(WindowEntry(key=key, at=last.at, rule="burst", values=last.values))
    return found


@given(
    CHAINED,
    KINDS,
    KINDS,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(0, 4),
    BOUNDS,
)
def test_a_chain_agrees_with_brute_force(  # noqa: PLR0913, PLR0917 - two correlations have six particulars
    entries: list[WindowEntry],
    kind: CorrelationType,
    inner_kind: CorrelationType,
    at_least: int,
    inner_at_least: int,
    hours: int,
    inner_hours: int,
    bound: Bound,
) -> None:
    """The outer correlation counts its own events and the matches of the inner one."""
    inner = CorrelationWindow(
        type=inner_kind,
        timespan=inner_hours * HOUR,
        at_least=inner_at_least,
        rules=("a", "b"),
        bound=bound,
    )
    outer = CorrelationWindow(
        type=kind,
        timespan=hours * HOUR,
        at_least=at_least,
        rules=("burst", "c"),
        inner={"burst": inner},
        bound=bound,
    )
    seen = [*(one for one in entries if not one.links), *matches_of_burst(inner, entries)]
    assert (find_window(outer, entries) is not None) == oracle(outer, seen)


@given(
    CHAINED.map(with_one_value),
    KINDS,
    st.sampled_from(COUNTS),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_no_fewer_entries_satisfy_a_correlation(
    entries: list[WindowEntry],
    kind: CorrelationType,
    inner_kind: CorrelationType,
    at_least: int,
    inner_least: int,
) -> None:
    """Whatever satisfies a correlation has at least as many entries as it needs.

    An event with several values may count as several.
    """
    inner = CorrelationWindow(
        type=inner_kind, timespan=9 * HOUR, at_least=inner_least, rules=("a", "b")
    )
    outer = CorrelationWindow(
        type=kind,
        timespan=9 * HOUR,
        at_least=at_least,
        rules=("burst", "c"),
        inner={"burst": inner},
        bound=ABOVE_NOTHING,
    )
    if find_window(outer, entries) is not None:
        assert len(entries) >= outer.least_entries


@given(CHAINED, st.sampled_from(COUNTS), st.data())
def test_more_sightings_never_take_a_chain_back(
    entries: list[WindowEntry], kind: CorrelationType, data: st.DataObject
) -> None:
    """Late events may complete a window, never undo one.

    That is what makes the order of arrival indifferent.
    """
    inner = CorrelationWindow(
        type=CorrelationType.EVENT_COUNT, timespan=2 * HOUR, at_least=2, rules=("a", "b")
    )
    outer = CorrelationWindow(
        type=kind, timespan=4 * HOUR, at_least=2, rules=("burst", "c"), inner={"burst": inner}
    )
    some = (
        data.draw(st.lists(st.sampled_from(entries), unique_by=lambda one: one.key))
        if entries
        else []
    )
    if find_window(outer, some) is not None:
        assert find_window(outer, entries) is not None


def test_a_chain_reaches_back_over_both_timespans() -> None:
    """A case that waits must not forget what the inner correlation still needs."""
    inner = CorrelationWindow(type=CorrelationType.EVENT_COUNT, timespan=2 * HOUR)
    assert (
        CorrelationWindow(
            type=CorrelationType.TEMPORAL, timespan=4 * HOUR, inner={"burst": inner}
        ).reach
        == 6 * HOUR
    )


@given(st.permutations("abc"))
def test_equal_times_are_in_order_whatever_the_ids(keys: list[str]) -> None:
    """Three events of one moment satisfy an ordered correlation under any ids."""
    correlation = CorrelationWindow(
        type=CorrelationType.TEMPORAL_ORDERED, timespan=HOUR, rules=("one", "two", "three")
    )
    entries = [
        WindowEntry(key=key, at=EPOCH, rule=rule)
        for key, rule in zip(keys, correlation.rules, strict=True)
    ]
    assert find_window(correlation, entries) is not None


@given(st.permutations(["a", "b", "c"]))
def test_numbers_of_one_time_are_compared_together(keys: list[str]) -> None:
    """An average over events of one moment does not depend on their ids."""
    correlation = CorrelationWindow(
        type=CorrelationType.VALUE_AVG,
        timespan=HOUR,
        bound=Bound(comparison=Comparison.GTE, number=5),
    )
    entries = [
        WindowEntry(key=key, at=EPOCH, values=(value,))
        for key, value in zip(keys, ["9", "1", "2"], strict=True)
    ]
    assert find_window(correlation, entries) is None


def test_an_event_is_added_up_once() -> None:
    """A record that changed, or that matches two rules, adds its number once."""
    correlation = CorrelationWindow(
        type=CorrelationType.VALUE_SUM,
        timespan=HOUR,
        bound=Bound(comparison=Comparison.GTE, number=10),
    )
    twice = [
        WindowEntry(key="a", at=EPOCH, rule=rule, values=(value,))
        for rule, value in (("one", "6"), ("two", "7"))
    ]
    assert find_window(correlation, twice) is None
    other = WindowEntry(key="b", at=EPOCH + HOUR, values=("4",))
    assert find_window(correlation, [other, *twice]) is not None


def test_several_values_of_one_event_count_each() -> None:
    """One event with three recipients and another with two of them and one more make four."""
    correlation = CorrelationWindow(type=CorrelationType.VALUE_COUNT, timespan=HOUR, at_least=4)
    entries = [
        WindowEntry(key="a", at=EPOCH, values=("x", "y", "z")),
        WindowEntry(key="b", at=EPOCH, values=("y", "z", "v")),
    ]
    assert find_window(correlation, entries) is not None
    assert find_window(correlation, [entries[0], entries[0]]) is None


@given(st.lists(st.sampled_from(["0.1", "0.2", "0.3", "1e16", "-1e16", "3"]), max_size=9))
def test_numbers_leave_nothing_behind(texts: list[str]) -> None:
    """However they enter and leave, what is left comes to exactly what it is."""
    numbers = Numbers()
    found = [number for text in texts if (number := parse_number(text)) is not None]
    for number in found:
        numbers.add(number)
    for number in found[1:]:
        numbers.remove(number)
    assert numbers.sum == sum(found[:1])


@pytest.mark.parametrize("text", ["nan", "inf", "x", "", "1e999"])
def test_what_is_no_finite_number_is_none(text: str) -> None:
    """It is not added up."""
    assert parse_number(text) is None
