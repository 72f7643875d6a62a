"""Limits of how often and how many at once."""

import pytest

from clawback.console.access import request_limits
from clawback.console.access.refusals import TooManyRequests
from clawback.console.access.request_limits import ConcurrencyLimiter, RateLimiter


class Clock:
    """A clock that a test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_has_so_many_requests() -> None:
    """Ten at once, then one every six seconds; somebody else is not concerned."""
    clock = Clock()
    limiter = RateLimiter("sign-ins", 10, clock=clock)
    for _ in range(10):
        limiter.count("ana")
    with pytest.raises(TooManyRequests, match="Too many sign-ins: try again in 6 s") as caught:
        limiter.count("ana")
    assert caught.value.headers == {"Retry-After": "6"}
    limiter.count("ben")

    clock.now += caught.value.seconds
    limiter.count("ana")
    with pytest.raises(TooManyRequests):
        limiter.count("ana")


def test_no_minute_has_more_than_twice_as_many() -> None:
    """Whoever always comes as soon as possible gets the rate, after one burst."""
    clock = Clock()
    limiter = RateLimiter("searches", 60, clock=clock)
    count = 0
    for _ in range(600):
        try:
            limiter.count("ana")
            count += 1
        except TooManyRequests:
            pass
        clock.now += 0.1
    assert 115 <= count <= 120


def test_counting_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many addresses the oldest are forgotten."""
    monkeypatch.setattr(request_limits, "_MOST_KEYS", 100)
    limiter = RateLimiter("sign-ins", 1)
    for number in range(10_000):
        limiter.count(number)
    assert len(limiter._next) == 100


def test_one_at_a_time() -> None:
    """A place is free again after an error, too; nothing is kept of who has left."""
    limiter = ConcurrencyLimiter("backtests", 1)
    for _ in range(2):
        first = limiter.hold("ana")
        with first, limiter.hold("ben"), pytest.raises(TooManyRequests, match="backtests at once"):
            limiter.hold("ana").__enter__()
        with pytest.raises(RuntimeError), limiter.hold("ana"):
            raise RuntimeError
    assert not limiter._running
