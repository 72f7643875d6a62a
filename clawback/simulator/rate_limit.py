"""The API's rate limit.

N requests in a fixed window, and a block of the window's length for whoever exceeds it (reference
§3.1).
"""

import math
import re
from dataclasses import dataclass, field

_RATE = re.compile(r"(\d+)/(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds."""

    quota: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.quota}/{self.seconds:g}"


DEFAULT_RATE = Rate(1200, 300)


def parse_rate(text: str) -> Rate | None:
    """Read `1200/300` as a rate, `off` as None.

    Raises:
        ValueError: it is neither, or one of the numbers is zero.

    """
    if text == "off":
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0 or float(match[2]) == 0:
        raise ValueError(f"{text[:40]!r} is not a rate: write N/SECONDS, such as 1200/300, or off")
    return Rate(int(match[1]), float(match[2]))


@dataclass(slots=True)
class _Window:
    until: float
    left: int
    blocked_until: float = 0.0


@dataclass(slots=True)
class RateLimiter:
    """Counts the requests of each token. Times are seconds since the epoch, given by the caller."""

    rate: Rate | None
    _windows: dict[str, _Window] = field(default_factory=dict)

    def take(self, token: str, now: float) -> dict[str, str] | None:
        """Count one request.

        Gives the headers of its answer, or None where the token is (or just became) blocked.
        """
        if self.rate is None:
            return {}
        window = self._window(token, now, self.rate)
        if window.blocked_until > now:
            return None
        if window.left == 0:
            window.blocked_until = now + self.rate.seconds
            return None
        window.left -= 1
        return self._headers(window.left, window.until - now, self.rate)

    def refusal(self, token: str, now: float) -> dict[str, str]:
        """The headers of a 429, `retry-after` among them in whole seconds."""
        if self.rate is None:
            return {}
        left = math.ceil(max(self._window(token, now, self.rate).blocked_until - now, 1))
        return {**self._headers(0, left, self.rate), "retry-after": str(left)}

    def change(self, rate: Rate | None) -> None:
        """Put another limit in force and forget every count."""
        self.rate = rate
        self._windows.clear()

    def _window(self, token: str, now: float, rate: Rate) -> _Window:
        window = self._windows.get(token)
        ended = window is None or (window.until <= now and window.blocked_until <= now)
        if window is None or ended:
            window = self._windows[token] = _Window(now + rate.seconds, rate.quota)
        return window

    @staticmethod
    def _headers(left: int, seconds: float, rate: Rate) -> dict[str, str]:
        reset = math.ceil(max(seconds, 0))
        return {
            "ratelimit": f'"default";r={left};t={reset}',
            "ratelimit-policy": f'"default";q={rate.quota};w={rate.seconds:g}',
        }
