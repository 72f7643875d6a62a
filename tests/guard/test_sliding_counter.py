"""Tallies against a brute-force count of every window."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clawback.guard import SlidingCounter
from clawback.guard.sliding_counter import FINE, LONGEST

START = datetime(2026, 11, 22, 12, 0, 17, tzinfo=UTC)
SPANS = st.sampled_from(
    [
        timedelta(minutes=1),
        timedelta(minutes=10),
        timedelta(hours=1),
        timedelta(hours=2),
        timedelta(days=1),
        LONGEST,
    ]
)
SPENDINGS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 50)), min_size=1, max_size=60)


@given(SPENDINGS, SPANS)
def test_a_window_is_never_counted_short_and_at_most_one_step_long(
    spendings: list[tuple[int, int]], per: timedelta
) -> None:
    """Whatever was spent in the window is counted.

    Nothing is that is older than the window and one step.
    """
    counter, spent, now = SlidingCounter(), list[tuple[datetime, int]](), START
    for gap, count in spendings:
        now += timedelta(seconds=gap)
        counter = counter.with_spent(count, now)
        spent.append((now, count))
    step = timedelta(minutes=1) if per <= FINE else timedelta(hours=1)
    exactly = sum(count for at, count in spent if at > now - per)
    at_most = sum(count for at, count in spent if at > now - per - step)
    assert exactly <= counter.spent(per, now) <= at_most


@given(SPENDINGS)
def test_what_a_tally_keeps_is_bounded(spendings: list[tuple[int, int]]) -> None:
    """Minutes of two hours and hours of a week, however long it runs."""
    counter, now = SlidingCounter(), START
    for gap, count in spendings:
        now += timedelta(seconds=gap)
        counter = counter.with_spent(count, now)
    assert len(counter.minutes) <= 122
    assert len(counter.hours) <= 170


def test_the_rate_is_the_average_of_the_hours_before_the_last() -> None:
    """What happens now does not make itself usual; hours without anything count as hours."""
    counter = SlidingCounter()
    for hours, count in ((10, 100), (5, 100), (0, 5000)):
        counter = counter.with_spent(count, START - timedelta(hours=hours))
    assert counter.rate(START) == 200 / 9


def test_an_empty_tally_has_no_rate() -> None:
    """Nothing is usual where nothing is known."""
    assert SlidingCounter().rate(START) == 0.0
