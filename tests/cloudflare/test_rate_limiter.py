"""The rate limiter: respects reserves, avoids 429, never gets stuck, waits out a 429."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.cloudflare.rate_limit_headers import Counter
from clawback.cloudflare.rate_limiter import QUOTA, RESERVES, RateLimiter, Share


@dataclass
class FixedWindow:
    """A server that counts in fixed windows: an independent oracle."""

    quota: int
    window: float
    used: int = 0
    least_left: dict[Share, int] = field(default_factory=dict)

    def counter(self, now: float) -> Counter:
        left = self.window - now % self.window
        return Counter(
            "default", self.quota, max(self.quota - self.used, 0), now + left, self.window
        )


SHARES = st.sampled_from(list(Share))


@given(
    st.integers(1, 400),
    st.sampled_from([1.0, 10.0, 60.0, 300.0]),
    st.lists(st.tuples(SHARES, st.floats(0, 5), st.integers(0, 3)), max_size=80),
)
def test_the_reserve_is_never_touched(
    quota: int, window: float, steps: list[tuple[Share, float, int]]
) -> None:
    """No request leaves less than the reserve of its share, even if people use the API too."""
    limiter, server, now = RateLimiter(), FixedWindow(quota, window), 0.0
    heard = False
    for share, pause, people in steps:
        if int((now + pause) // window) != int(now // window):
            server.used = 0
            heard = False
        now += pause
        if limiter.delay(share, now) > 0:
            continue
        ticket = limiter.record_sent(share, now)
        server.used += 1
        if heard:
            assert server.quota - server.used >= int(RESERVES[share] * quota)
        server.used = min(server.used + people, quota)
        limiter.record_response(ticket, now, [server.counter(now)])
        heard = True


@given(st.integers(1, 400), st.integers(0, 400), st.floats(0.1, 300), SHARES)
def test_a_full_budget_lets_everybody_go(
    quota: int, remaining: int, left: float, share: Share
) -> None:
    """After the reset, with nothing in flight, a request may always be sent."""
    limiter = RateLimiter()
    ticket = limiter.record_sent(share, 0.0)
    limiter.record_response(
        ticket, 0.0, [Counter("default", quota, min(remaining, quota), left, 60.0)]
    )
    for _ in range(3):
        if wait := limiter.delay(share, 0.0):
            assert wait <= left
    assert limiter.delay(share, left + 0.001) == 0.0


@given(st.integers(1, 1200), st.floats(0, 1), st.integers(0, 30), SHARES)
def test_as_many_as_the_headroom_says_may_leave_together(
    quota: int, left: float, in_flight: int, share: Share
) -> None:
    """None of them is delayed or touches the reserve, and without headroom the next one waits."""
    limiter = RateLimiter()
    first = limiter.record_sent(share, 0.0)
    remaining = int(left * quota)
    limiter.record_response(first, 0.0, [Counter("default", quota, remaining, 60.0, 60.0)])
    for _ in range(in_flight):
        limiter.record_sent(Share.PEOPLE, 0.0)
    now = 1000.0 if left > 0.9 else 59.0
    headroom = limiter.headroom(share, now)
    assert (headroom == 0) == (limiter.delay(share, now) > 0)
    for number in range(headroom):
        assert limiter.delay(share, now) == 0.0, number
        limiter.record_sent(share, now)


@pytest.mark.parametrize("share", list(Share))
def test_without_headers_no_five_minutes_hold_more_than_the_quota_less_the_reserve(
    share: Share,
) -> None:
    """A share that sends whenever it may stays within the documented limit in any window."""
    limiter, now, sent = RateLimiter(), 0.0, []
    while now < 1500:
        if wait := limiter.delay(share, now):
            now += wait
            continue
        limiter.record_response(limiter.record_sent(share, now), now)
        sent.append(now)
    most = QUOTA - int(RESERVES[share] * QUOTA)
    assert all(later - first >= 300 - 1e-6 for first, later in zip(sent, sent[most:], strict=False))
    assert len(sent) >= 4 * most


def test_plenty_is_not_delayed_and_the_rest_is_spread() -> None:
    """Above a third nothing waits; below it requests are spread until the reset."""
    limiter = RateLimiter()
    limiter.record_response(
        limiter.record_sent(Share.ACTING, 0.0), 0.0, [Counter("default", 100, 60, 30.0, 60.0)]
    )
    assert limiter.delay(Share.ACTING, 0.0) == 0.0
    limiter.record_response(
        limiter.record_sent(Share.ACTING, 0.0), 0.0, [Counter("default", 100, 35, 30.0, 60.0)]
    )
    assert limiter.delay(Share.ACTING, 0.0) == pytest.approx(3.0)
    assert limiter.delay(Share.ACTING, 3.1) == 0.0


def test_polling_cannot_starve_acting() -> None:
    """When polling has used its part, acting has some left, and undo more."""
    limiter = RateLimiter()
    limiter.record_response(
        limiter.record_sent(Share.POLLING, 0.0), 0.0, [Counter("default", 100, 38, 30.0, 60.0)]
    )
    assert limiter.delay(Share.POLLING, 0.0) == 30.0
    assert limiter.delay(Share.ACTING, 0.0) == 0.0
    limiter.record_response(
        limiter.record_sent(Share.ACTING, 0.0), 0.0, [Counter("default", 100, 20, 30.0, 60.0)]
    )
    assert limiter.delay(Share.ACTING, 0.0) == 30.0
    assert limiter.delay(Share.UNDO, 0.0) == 0.0


def test_requests_in_flight_are_counted_as_spent() -> None:
    """Requests in flight are deducted from what the server reported."""
    limiter = RateLimiter()
    limiter.record_response(
        limiter.record_sent(Share.ACTING, 0.0), 0.0, [Counter("default", 100, 27, 30.0, 60.0)]
    )
    first, second = limiter.record_sent(Share.UNDO, 0.0), limiter.record_sent(Share.UNDO, 0.0)
    assert limiter.delay(Share.ACTING, 20.0) == 10.0
    limiter.record_response(second, 20.0, [Counter("default", 100, 27, 30.0, 60.0)])
    limiter.record_lost(first, 20.0)
    assert limiter.delay(Share.ACTING, 20.0) == 0.0


def test_a_late_answer_does_not_overwrite_a_younger_one() -> None:
    """Responses may overtake each other; the newest request counts."""
    limiter = RateLimiter()
    old, young = limiter.record_sent(Share.POLLING, 0.0), limiter.record_sent(Share.POLLING, 0.0)
    limiter.record_response(young, 1.0, [Counter("default", 100, 10, 30.0, 60.0)])
    limiter.record_response(old, 2.0, [Counter("default", 100, 90, 30.0, 60.0)])
    assert limiter.status(2.0).remaining == 10


def test_a_429_stops_everybody_until_it_is_over() -> None:
    """Not even undo is sent into a block."""
    limiter = RateLimiter()
    assert limiter.record_rejection(
        limiter.record_sent(Share.POLLING, 0.0), 0.0, timedelta(seconds=300)
    ) == timedelta(seconds=300)
    assert {limiter.delay(share, 100.0) for share in Share} == {200.0}
    assert limiter.status(100.0).blocked_for == timedelta(seconds=200)
    assert limiter.delay(Share.UNDO, 300.0) == 0.0


def test_a_429_without_a_delay_doubles_from_30_seconds_to_five_minutes() -> None:
    """30 s, doubling to the documented five minutes; a success resets it."""
    limiter, now, delays = RateLimiter(), 0.0, []
    for _ in range(6):
        delays.append(limiter.record_rejection(limiter.record_sent(Share.ACTING, now), now, None))
        now += 1000
    assert [delay.total_seconds() for delay in delays] == [30, 60, 120, 240, 300, 300]
    limiter.record_response(limiter.record_sent(Share.ACTING, now), now)
    assert (
        limiter.record_rejection(limiter.record_sent(Share.ACTING, now), now, None).total_seconds()
        == 30
    )


def test_a_429_without_a_delay_believes_an_empty_counter() -> None:
    """The reset of a counter at zero is the best estimate."""
    limiter = RateLimiter()
    delay = limiter.record_rejection(
        limiter.record_sent(Share.ACTING, 0.0), 0.0, None, [Counter("default", 100, 0, 42.0, 60.0)]
    )
    assert delay == timedelta(seconds=42)
