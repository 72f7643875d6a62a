"""Bounds how often, and how many at once. Each replica counts by itself, in bounded memory."""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from cachetools import LRUCache

from clawback.console.access.refusals import TooManyRequests

_MOST_KEYS: Final = 10_000
"""Of more addresses or people than that, those who came longest ago are forgotten."""
_BUSY_SECONDS: Final = 5.0


class RateLimiter:
    """Lets `limit` requests through in `seconds`, for each key (generic cell rate algorithm).

    `what` names them in the error, in the plural.
    """

    def __init__(
        self,
        what: str,
        limit: int,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._clock = what, clock
        self._interval, self._seconds = seconds / limit, seconds
        self._next: LRUCache[Hashable, float] = LRUCache(_MOST_KEYS)

    def count(self, key: Hashable) -> None:
        """Count one request.

        Raises:
            TooManyRequests: it is one too many, and is not counted.

        """
        now = self._clock()
        due = max(self._next.get(key, now), now) + self._interval
        if (wait := due - now - self._seconds) > 1e-6:  # noqa: PLR2004 - rounding
            raise TooManyRequests(self._what, wait)
        self._next[key] = due


class ConcurrencyLimiter:
    """Lets `limit` run at once, for each key."""

    def __init__(self, what: str, limit: int) -> None:
        self._what, self._limit = what, limit
        self._running: Counter[Hashable] = Counter()

    @contextmanager
    def hold(self, key: Hashable) -> Iterator[None]:
        """Hold one place while the block runs.

        Raises:
            TooManyRequests: all are held.

        """
        if self._running[key] >= self._limit:
            raise TooManyRequests(f"{self._what} at once", _BUSY_SECONDS)
        self._running[key] += 1
        try:
            yield
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]
