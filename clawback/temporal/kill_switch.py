"""The kill switch as a worker sees it: a short lease to act, renewed from the server on demand.

A lease begins before the server is asked, on the monotonic clock of the worker. So once the switch
is on and one lease has passed, no worker holds a lease, whatever its clock says and however many
workers there are (ADR 11).
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

LEASE = timedelta(seconds=3)
"""How long after `stop` a request may still be sent."""
_RPC_TIMEOUT = 10.0


class Stoppable(Protocol):
    """Whoever knows whether containment is stopped."""

    async def is_stopped(self) -> bool:
        """Whether the kill switch is on."""


class KillSwitch:
    """Permits requests while the switch is off. If the server does not answer, it permits none."""

    def __init__(
        self,
        guard: Stoppable,
        *,
        lease: timedelta = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._lease = lease.total_seconds()
        self._clock = clock
        self._until = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self) -> bool:
        """Whether a request may be sent now."""
        if self._clock() < self._until:
            return True
        # Requests that wait for the lock share the renewal of the first one.
        async with self._lock:
            if self._clock() >= self._until:
                await self._renew()
        return self._clock() < self._until

    async def _renew(self) -> None:
        began = self._clock()
        try:
            async with asyncio.timeout(_RPC_TIMEOUT):
                stopped = await self._guard.is_stopped()
        except Exception:  # noqa: BLE001 - whatever keeps us from knowing, nothing is sent
            return

        if not stopped:
            self._until = began + self._lease
