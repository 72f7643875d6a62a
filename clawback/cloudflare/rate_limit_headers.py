"""Reads what an answer says about the rate limit.

`Ratelimit`, `Ratelimit-Policy`, the older `X-RateLimit-*`, `Retry-After`. Pure.

Source: reference §3.1 (fundamentals/api/reference/limits). Anything that cannot be read counts as
not said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WINDOW = 300.0
LONGEST_WAIT = timedelta(hours=1)
_MOST_COUNTERS = 8
_LARGEST = 10**12
_EPOCH_FROM = 10**8  # a reset larger than this is a moment, not a number of seconds
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of the server.

    `remaining` of `quota` calls until `reset_at` (seconds of the local clock), then `window`
    seconds more.
    """

    name: str
    quota: int
    remaining: int
    reset_at: float
    window: float = WINDOW


def read_counters(headers: Mapping[str, str], now: float, wall: datetime) -> tuple[Counter, ...]:
    """Read every counter that an answer names.

    `headers` has lower-case names, `now` is the local clock in seconds.
    """
    policies = dict(_items(headers.get("ratelimit-policy", "")))
    found = tuple(
        _counter(name, values, policies, now)
        for name, values in _items(headers.get("ratelimit", ""))
        if "r" in values
    )
    return found[:_MOST_COUNTERS] or _older(headers, now, wall)


def read_retry_after(headers: Mapping[str, str], wall: datetime) -> timedelta | None:
    """Read `Retry-After`, in seconds or as an HTTP date; never negative, at most an hour."""
    text = headers.get("retry-after", "").strip()
    if _WHOLE.fullmatch(text):
        return min(timedelta(seconds=min(int(text), 10**6)), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware - wall, timedelta()), LONGEST_WAIT)


def _counter(
    name: str, values: Mapping[str, int], policies: Mapping[str, Mapping[str, int]], now: float
) -> Counter:
    """Join a counter to its policy.

    The one of its name, or the only one (Cloudflare's own example names them differently).
    """
    only = next(iter(policies.values())) if len(policies) == 1 else {}
    policy = policies.get(name, only)
    remaining = values["r"]
    window = min(float(policy.get("w") or WINDOW), LONGEST_WAIT.total_seconds())
    reset = min(float(values.get("t", window)), LONGEST_WAIT.total_seconds())
    return Counter(name, max(policy.get("q", 0), remaining, 1), remaining, now + reset, window)


def _older(headers: Mapping[str, str], now: float, wall: datetime) -> tuple[Counter, ...]:
    remaining = _number(headers.get("x-ratelimit-remaining", ""))
    if remaining is None:
        return ()
    quota = _number(headers.get("x-ratelimit-limit", "")) or 0
    reset = _number(headers.get("x-ratelimit-reset", ""))
    seconds = WINDOW if reset is None else float(reset)
    if seconds > _EPOCH_FROM:
        seconds = max(seconds - wall.timestamp(), 0.0)
    seconds = min(seconds, LONGEST_WAIT.total_seconds())
    return (Counter("x", max(quota, remaining, 1), remaining, now + seconds),)


def _items(header: str) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Read a structured field list such as `"default";r=50;t=30, "burst";r=3;t=1`."""
    for item in header.split(",") if header else ():
        name, *parameters = item.split(";")
        pairs = (parameter.partition("=") for parameter in parameters)
        numbers = {key.strip().lower(): _number(value) for key, _, value in pairs}
        yield (
            name.strip().strip('"'),
            {key: number for key, number in numbers.items() if number is not None},
        )


def _number(text: str) -> int | None:
    text = text.strip().strip('"')
    return min(int(text), _LARGEST) if _WHOLE.fullmatch(text) else None
