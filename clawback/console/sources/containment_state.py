"""Whether containment is stopped, as every page says it. Not knowing is not the same as running."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from temporalio.service import RPCError

from clawback.console.changes import Changes
from clawback.guard import Stop
from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.workflow_calls import QueryFailed

REFRESH: Final = timedelta(seconds=2)
TOO_OLD: Final = timedelta(seconds=15)
_PATIENCE: Final = 3.0
"""Seconds; without workers nobody can say who stopped containment."""
STOP_TOPIC: Final = "stop"


@dataclass
class ContainmentState:
    """What the guard last said.

    `stop` is who stopped containment, when and why, where the guard could say. `is_stopped` is None
    while it is not known. `demoted` are the rules that ask first because their work was undone.
    """

    guard: GuardGateway
    changes: Changes
    now: Callable[[], datetime]
    read_at: datetime | None = None
    stop: Stop | None = None
    demoted: frozenset[str] = frozenset()
    _is_stopped: bool | None = None
    _asked: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_stopped(self) -> bool | None:
        """Whether containment is stopped; None if the guard has not answered for 15 seconds."""
        if self.read_at is None or self.now() - self.read_at > TOO_OLD:
            return None
        return self._is_stopped

    async def refresh(self) -> None:
        """Ask the guard; reading what the server shows of it costs no action."""
        async with self._asked:
            try:
                view = await self.guard.look()
            except (RPCError, PayloadKeyError):
                return
            # Before the first worker there is no guard, and nothing that could act.
            stopped = view is not None and view.is_stopped
            memo = None if view is None else view.memo
            self.demoted = frozenset(memo.demoted if memo else ())
            was_stopped, self._is_stopped, self.read_at = self._is_stopped, stopped, self.now()
            was_known = self.stop is not None
            if not stopped:
                self.stop = None
            elif not (was_stopped and was_known):
                self.stop = await self._read_stop()
            if stopped != was_stopped or was_known != (self.stop is not None):
                self.changes.announce(STOP_TOPIC)

    async def _read_stop(self) -> Stop | None:
        """Read who stopped containment; the workers may be down, and then nobody can say."""
        try:
            async with asyncio.timeout(_PATIENCE):
                snapshot = await self.guard.status()
        except (RPCError, QueryFailed, TimeoutError):
            return None
        return None if snapshot is None else snapshot.stopped

    @asynccontextmanager
    async def running(self, tasks: Supervisor) -> AsyncIterator[None]:
        """Ask every two seconds until the block is left."""
        async with tasks.running(BackgroundTask.CONTAINMENT, self._keep_asking):
            yield

    async def _keep_asking(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH.total_seconds())
