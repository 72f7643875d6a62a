"""Parsing rate-limit headers: documented, older and malformed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cloudflare.rate_limit_headers import Counter, parse_counters
from clawback.model.retry_after import LONGEST_WAIT, read_retry_after

WALL = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_documented_example_is_read() -> None:
    """A single counter and a single policy belong together despite different names."""
    headers = {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"burst";q=100;w=60'}
    assert parse_counters(headers, 10.0, WALL) == (Counter("default", 100, 50, 40.0, 60.0),)


def test_several_counters_find_their_policies_by_name() -> None:
    """Each counter takes the policy of its name."""
    headers = {
        "ratelimit": '"a";r=5;t=30, "b";r=7;t=1',
        "ratelimit-policy": '"b";q=200;w=1, "a";q=1200;w=300',
    }
    assert parse_counters(headers, 0.0, WALL) == (
        Counter("a", 1200, 5, 30.0, 300.0),
        Counter("b", 200, 7, 1.0, 1.0),
    )


@pytest.mark.parametrize("reset", ["30", str(int((WALL + timedelta(seconds=30)).timestamp()))])
def test_the_older_names_are_tolerated(reset: str) -> None:
    """`X-RateLimit-*`, whose reset is a number of seconds or a point in time."""
    headers = {
        "x-ratelimit-limit": "1200",
        "x-ratelimit-remaining": "17",
        "x-ratelimit-reset": reset,
    }
    assert parse_counters(headers, 5.0, WALL) == (Counter("x", 1200, 17, 35.0),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("300", 300),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("99999999999999", 3600),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, seconds: int) -> None:
    """Seconds or a date; a past date is zero, and nothing exceeds an hour."""
    assert read_retry_after({"retry-after": text}, WALL) == timedelta(seconds=seconds)


def test_a_date_is_compared_with_the_clock_of_its_server() -> None:
    """Ours may be an hour ahead, and the wait would be over before it began."""
    headers = {
        "date": "Sun, 22 Nov 2026 11:00:00 GMT",
        "retry-after": "Sun, 22 Nov 2026 11:02:00 GMT",
    }
    assert read_retry_after(headers, WALL) == timedelta(minutes=2)
    assert read_retry_after({**headers, "date": "now"}, WALL) == timedelta()


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "٣", "Sun, 99 Nov 2026 12:01:00 GMT"])
def test_an_unreadable_retry_after_counts_as_absent(text: str) -> None:
    """A malformed value is no delay."""
    assert read_retry_after({"retry-after": text}, WALL) is None


NAMES = st.sampled_from(
    ["ratelimit", "ratelimit-policy", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"]
)
FIELDS = st.from_regex(r'"?[a-z]*"?;[rtqw]=[0-9]+;[rtqw]=[0-9]+', fullmatch=True)


@given(st.dictionaries(NAMES, st.text() | FIELDS | st.integers().map(str)))
def test_no_header_can_break_the_reading(headers: dict[str, str]) -> None:
    """Any header gives sane counters and delays."""
    for counter in parse_counters(headers, 100.0, WALL):
        assert counter.quota >= max(counter.remaining, 1)
        assert counter.remaining >= 0
        assert 100.0 <= counter.reset_at <= 100.0 + LONGEST_WAIT.total_seconds()
        assert 0 < counter.window <= LONGEST_WAIT.total_seconds()
    delay = read_retry_after(headers, WALL)
    assert delay is None or timedelta() <= delay <= LONGEST_WAIT
