"""Notices that this process was suspended, so that it sends nothing that another has repeated.

A worker that is frozen (SIGSTOP, a paused container) misses its heartbeats: the server gives its
activities up, and another worker checks the API and repeats them. When the frozen one goes on, the
requests that it was about to send must not leave (ADR 26).
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from clawback.cloudflare import Permit

MAX_GAP = timedelta(seconds=5)
"""A longer gap counts as a suspension.

Activities heartbeat every two seconds and time out after eight, so the server gives none up before
six seconds of silence.
"""
REFUSAL = timedelta(seconds=5)
"""How long no containment is permitted after that.

Longer than a request waits for the rate limiter, so whatever was under way has then been refused.
"""
_TICK = 1.0
log = structlog.get_logger("clawback")


class SuspensionPermit:
    """Permits what another permit does, except for a while after this process was suspended."""

    def __init__(self, permit: Permit, clock: Callable[[], float] = time.monotonic) -> None:
        self._permit = permit
        self._clock = clock
        self._last = clock()
        self._refused_until = float("-inf")

    async def watch(self) -> None:
        """Notice suspensions until cancelled."""
        while True:
            self.tick()
            await asyncio.sleep(_TICK)

    def tick(self) -> None:
        """Compare the time with that of the last call."""
        now = self._clock()
        gap = now - self._last
        if gap > MAX_GAP.total_seconds():
            self._refused_until = now + REFUSAL.total_seconds()
            log.warning("worker.was_suspended", seconds=round(gap, 1))
        self._last = now

    async def __call__(self) -> bool:
        """Whether a request may be sent now."""
        # A request may be what runs first after a suspension, before `watch` has its turn.
        self.tick()
        return self._clock() >= self._refused_until and await self._permit()
