"""What the transport needs from its surroundings: an observer, a permit and a clock.

None of them may block; observers and clocks may not fail either.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

from clawback.model.intermediary import Intermediary


class Observer(Protocol):
    """Receives every request, for metrics.

    `endpoint` is a fixed template, `error` the name of an exception class.
    """

    def record_response(self, *, endpoint: str, status: int, seconds: float) -> None:
        """A response arrived, whatever its status."""

    def record_intermediary(self, *, endpoint: str, kind: Intermediary, seconds: float) -> None:
        """An intermediary answered instead of the API."""

    def record_failure(self, *, endpoint: str, error: str, seconds: float) -> None:
        """No response arrived."""

    def record_delay(self, seconds: float) -> None:
        """A request was delayed by the rate limiter before it was sent."""

    def record_paging(self, trouble: str) -> None:
        """A full page named no next page: its window was `split`, or is partly `unseen`."""


class Permit(Protocol):
    """Is asked right before every containment call that changes something."""

    async def __call__(self) -> bool:
        """Whether the call may be sent now."""


class Clock(Protocol):
    """The time as the client sees it; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds of a monotonic clock."""

    def wall_time(self) -> datetime:
        """The current time in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of the machine."""

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wall_time(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait in the event loop."""
        await asyncio.sleep(seconds)


class NullObserver:
    """An observer that records nothing."""

    def record_response(self, *, endpoint: str, status: int, seconds: float) -> None:
        """Do nothing."""

    def record_intermediary(self, *, endpoint: str, kind: Intermediary, seconds: float) -> None:
        """Do nothing."""

    def record_failure(self, *, endpoint: str, error: str, seconds: float) -> None:
        """Do nothing."""

    def record_delay(self, seconds: float) -> None:
        """Do nothing."""

    def record_paging(self, trouble: str) -> None:
        """Do nothing."""
