"""Lists of time ranges, against sets of minutes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clawback.model.time_ranges import (
    MOST_RANGES,
    TimeRange,
    TimeRanges,
    add_range,
    take_first,
    total_length,
)

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ranges = st.tuples(st.integers(0, 200), st.integers(0, 12)).map(
    lambda one: TimeRange(start=BEGIN + one[0] * MINUTE, end=BEGIN + sum(one) * MINUTE)
)


def minutes(*found: TimeRange) -> set[datetime]:
    """Every minute that the ranges cover."""
    return {one.start + number * MINUTE for one in found for number in range(one.length // MINUTE)}


@given(st.lists(ranges, max_size=60))
def test_a_list_covers_what_was_added_and_stays_short(added: list[TimeRange]) -> None:
    """It is sorted and disjoint, and covers nothing else unless it would be too long."""
    found: TimeRanges = ()
    is_exact = True
    for one in added:
        before = minutes(*found) | minutes(one)
        found = add_range(found, one)
        is_exact = is_exact and len(found) < MOST_RANGES
        assert before <= minutes(*found)
        assert before == minutes(*found) or not is_exact
        assert len(found) <= MOST_RANGES
        assert all(a.end < b.start for a, b in pairwise(found))
        assert total_length(found) == MINUTE * len(minutes(*found))


@given(st.lists(ranges, min_size=1, max_size=20), st.integers(1, 30))
def test_taking_parts_gives_everything_once(added: list[TimeRange], span: int) -> None:
    """No part is longer than the span."""
    found: TimeRanges = ()
    for one in added:
        found = add_range(found, one)
    expected = minutes(*found)
    taken: set[datetime] = set()
    while found:
        part, found = take_first(found, span * MINUTE)
        assert part.length <= span * MINUTE
        assert not taken & minutes(part)
        taken |= minutes(part)
    assert taken == expected
