"""What a connection needs from around it: somebody who counts its requests, and a clock.

Neither may fail or block.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Observer(Protocol):
    """Is told of every request, for metrics.

    `endpoint` is a fixed template, `error` the name of an exception.
    """

    def answered(self, *, endpoint: str, status: int, seconds: float) -> None:
        """An answer came, of whatever status."""

    def failed(self, *, endpoint: str, error: str, seconds: float) -> None:
        """No answer came."""

    def paced(self, seconds: float) -> None:
        """A request was held back for that long before it was sent."""


class Permit(Protocol):
    """Is asked right before every call that changes something on behalf of acting."""

    async def __call__(self) -> bool:
        """Whether the call may leave now."""


class Clock(Protocol):
    """Time as the connection sees it; tests bring their own."""

    def now(self) -> float:
        """Seconds of a monotonic clock."""

    def wall(self) -> datetime:
        """The time of day."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait in the event loop."""
        await asyncio.sleep(seconds)


class Unobserved:
    """An observer that does not look."""

    def answered(self, *, endpoint: str, status: int, seconds: float) -> None:
        """Ignore an answer."""

    def failed(self, *, endpoint: str, error: str, seconds: float) -> None:
        """Ignore a failure."""

    def paced(self, seconds: float) -> None:
        """Ignore a delay."""
