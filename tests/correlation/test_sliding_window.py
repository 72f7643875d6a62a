"""Sliding windows against a brute-force oracle that tries every set of entries in the timespan."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, permutations

from hypothesis import given
from hypothesis import strategies as st

from clawback.correlation.sliding_window import (
    CorrelationType,
    CorrelationWindow,
    Link,
    WindowEntry,
    find_window,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENTRIES = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.sampled_from(["x", "y", None])),
    max_size=6,
).map(
    lambda rows: [
        WindowEntry(key=str(number), at=EPOCH + hour * HOUR, rule=rule, value=value)
        for number, (hour, rule, value) in enumerate(rows)
    ]
)


def oracle(correlation: CorrelationWindow, entries: Sequence[WindowEntry]) -> bool:
    """Check by brute force whether any subset within the timespan satisfies the correlation."""
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
            return len({s.value for s in some} - {None}) >= correlation.at_least
        case CorrelationType.TEMPORAL:
            return {s.rule for s in some} >= set(correlation.rules)
        case CorrelationType.TEMPORAL_ORDERED:
            return any(
                [s.rule for s in order] == list(correlation.rules)
                and all(a.at <= b.at for a, b in pairwise(order))
                for order in permutations(some)
            )


@given(ENTRIES, st.integers(1, 4), st.integers(0, 6), st.sampled_from(list(CorrelationType)))
def test_windows_agree_with_brute_force(
    entries: list[WindowEntry], at_least: int, hours: int, kind: CorrelationType
) -> None:
    """Every type of correlation finds a window exactly where the oracle finds a subset."""
    correlation = CorrelationWindow(
        type=kind, timespan=hours * HOUR, at_least=at_least, rules=("a", "b")
    )
    assert (find_window(correlation, entries) is not None) == oracle(correlation, entries)


@given(
    ENTRIES,
    st.integers(1, 4),
    st.integers(0, 6),
    st.sampled_from(list(CorrelationType)),
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
        WindowEntry.model_construct(key=str(n), at=EPOCH + n * timedelta(minutes=1), value=value)
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
        st.sampled_from("gh"),
        st.sampled_from(["x", "y", None]),
    ),
    max_size=8,
).map(lambda rows: [_chained(number, *row) for number, row in enumerate(rows)])
KINDS = st.sampled_from(list(CorrelationType))


def _chained(number: int, hour: int, rule: str, group: str, value: str | None) -> WindowEntry:
    """One event, of the outer rule `c` or of a rule of the inner correlation `burst`."""
    links = (Link(group=group, value=value),) if "/" in rule else ()
    return WindowEntry(key=str(number), at=EPOCH + hour * HOUR, rule=rule, value=group, links=links)


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
                key=one.key, at=one.at, rule=one.rule.partition("/")[2], value=one.links[0].value
            )
            for one in window
        ]
        if any(
            holds(inner, some)
            for size in range(1, len(plain) + 1)
            for some in combinations(plain, size)
        ):
            found.append(
                WindowEntry(key=f"match {last.key}", at=last.at, rule="burst", value=last.value)
            )
    return found


@given(
    CHAINED,
    KINDS,
    KINDS,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_a_chain_agrees_with_brute_force(  # noqa: PLR0913, PLR0917 - two correlations have six particulars
    entries: list[WindowEntry],
    kind: CorrelationType,
    inner_kind: CorrelationType,
    at_least: int,
    inner_at_least: int,
    hours: int,
    inner_hours: int,
) -> None:
    """The outer correlation counts its own events and the matches of the inner one."""
    inner = CorrelationWindow(
        type=inner_kind, timespan=inner_hours * HOUR, at_least=inner_at_least, rules=("a", "b")
    )
    outer = CorrelationWindow(
        type=kind,
        timespan=hours * HOUR,
        at_least=at_least,
        rules=("burst", "c"),
        inner={"burst": inner},
    )
    seen = [*(one for one in entries if not one.links), *matches_of_burst(inner, entries)]
    assert (find_window(outer, entries) is not None) == oracle(outer, seen)


@given(CHAINED, KINDS, KINDS, st.integers(1, 3), st.integers(1, 3))
def test_no_fewer_entries_satisfy_a_correlation(
    entries: list[WindowEntry],
    kind: CorrelationType,
    inner_kind: CorrelationType,
    at_least: int,
    inner_least: int,
) -> None:
    """Whatever satisfies a correlation has at least as many entries as it needs."""
    inner = CorrelationWindow(
        type=inner_kind, timespan=9 * HOUR, at_least=inner_least, rules=("a", "b")
    )
    outer = CorrelationWindow(
        type=kind,
        timespan=9 * HOUR,
        at_least=at_least,
        rules=("burst", "c"),
        inner={"burst": inner},
    )
    if find_window(outer, entries) is not None:
        assert len(entries) >= outer.least_entries


@given(CHAINED, KINDS, st.data())
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
