"""The API's rate limit: N requests in a fixed window; exceeding it blocks for one window (§3.1)."""

import math
import re
from dataclasses import dataclass, field

_RATE = re.compile(r"(\d+)/(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of requests in a number of seconds."""

    quota: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.quota}/{self.seconds:g}"


DEFAULT_RATE = Rate(1200, 300)


def parse_rate(text: str) -> Rate | None:
    """Parse `1200/300` as a rate, `off` as None.

    Raises:
        ValueError: it is neither, or a number is zero.

    """
    if text == "off":
        return None

    match = _RATE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0 or float(match[2]) == 0:
        raise ValueError(
            f"invalid rate {text[:40]!r}; expected N/SECONDS, such as 1200/300, or off"
        )

    return Rate(int(match[1]), float(match[2]))


@dataclass(slots=True)
class _Window:
    until: float
    left: int
    blocked_until: float = 0.0


@dataclass(slots=True)
class RateLimiter:
    """Counts the requests of each token. Times are seconds since the epoch."""

    rate: Rate | None
    _windows: dict[str, _Window] = field(default_factory=dict)

    def take(self, token: str, now: float) -> dict[str, str] | None:
        """Count one request. Returns the response headers, or None if the token is blocked."""
        if self.rate is None:
            return {}

        window = self._window(token, now, self.rate)
        if window.blocked_until > now:
            return None
        if window.left == 0:
            # The request that exceeds the limit starts the block of all (reference §3.1).
            window.blocked_until = now + self.rate.seconds
            return None

        window.left -= 1
        return self._headers(window.left, window.until - now, self.rate)

    def refusal(self, token: str, now: float) -> dict[str, str]:
        """Return the headers of a 429, including `retry-after` in seconds."""
        if self.rate is None:
            return {}
        left = math.ceil(max(self._window(token, now, self.rate).blocked_until - now, 1))
        return {**self._headers(0, left, self.rate), "retry-after": str(left)}

    def change(self, rate: Rate | None) -> None:
        """Set another limit and reset all counts."""
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
