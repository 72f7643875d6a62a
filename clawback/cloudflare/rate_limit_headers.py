"""Parses the rate-limit headers of a response. Pure.

`Ratelimit` and `Ratelimit-Policy`, the older `X-RateLimit-*`, and `Retry-After`. What cannot be
parsed counts as missing. Source: reference §3.1 (fundamentals/api/reference/limits).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from clawback.model.retry_after import LONGEST_WAIT

WINDOW = 300.0
_MAX_COUNTERS = 8
_MAX_NUMBER = 10**12
_MIN_EPOCH = 10**8  # a larger reset is a point in time, not a number of seconds
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of the server.

    `remaining` of `quota` calls until `reset_at` (seconds of the local monotonic clock); after
    that, `quota` calls for every `window` seconds.
    """

    name: str
    quota: int
    remaining: int
    reset_at: float
    window: float = WINDOW


def parse_counters(
    headers: Mapping[str, str], now: float, wall_time: datetime
) -> tuple[Counter, ...]:
    """Parse every counter of a response.

    `headers` has lower-case names; `now` is the local monotonic clock in seconds.
    """
    policies = dict(_parse_list(headers.get("ratelimit-policy", "")))
    counters = tuple(
        _counter(name, values, policies, now)
        for name, values in _parse_list(headers.get("ratelimit", ""))
        if "r" in values
    )
    return counters[:_MAX_COUNTERS] or _parse_x_headers(headers, now, wall_time)


def _counter(
    name: str, values: Mapping[str, int], policies: Mapping[str, Mapping[str, int]], now: float
) -> Counter:
    """Join a counter with the policy of its name, or with the only policy.

    Cloudflare's own example gives them different names.
    """
    only = next(iter(policies.values())) if len(policies) == 1 else {}
    policy = policies.get(name, only)
    remaining = values["r"]
    window = min(float(policy.get("w") or WINDOW), LONGEST_WAIT.total_seconds())
    reset = min(float(values.get("t", window)), LONGEST_WAIT.total_seconds())
    return Counter(name, max(policy.get("q", 0), remaining, 1), remaining, now + reset, window)


def _parse_x_headers(
    headers: Mapping[str, str], now: float, wall_time: datetime
) -> tuple[Counter, ...]:
    remaining = _number(headers.get("x-ratelimit-remaining", ""))
    if remaining is None:
        return ()

    quota = _number(headers.get("x-ratelimit-limit", "")) or 0
    reset = _number(headers.get("x-ratelimit-reset", ""))

    seconds = WINDOW if reset is None else float(reset)
    # Servers disagree on whether a reset is a time or a number of seconds (reference §3.1).
    if seconds > _MIN_EPOCH:
        seconds = max(seconds - wall_time.timestamp(), 0.0)

    seconds = min(seconds, LONGEST_WAIT.total_seconds())
    return (Counter("x", max(quota, remaining, 1), remaining, now + seconds),)


def _parse_list(header: str) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Parse a structured field list such as `"default";r=50;t=30, "burst";r=3;t=1`."""
    for item in header.split(",") if header else ():
        name, *parameters = item.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        numbers = {key.strip().lower(): _number(value) for key, _, value in pairs}
        known = {key: number for key, number in numbers.items() if number is not None}
        yield name.strip().strip('"'), known


def _number(text: str) -> int | None:
    text = text.strip().strip('"')
    return min(int(text), _MAX_NUMBER) if _DIGITS.fullmatch(text) else None
