"""Orders to stop containment that nobody has confirmed yet. Each is repeated until somebody does.

They live in this process: the page that a person sees says so, and asks to repeat the order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from temporalio.service import RPCError

from clawback.guard import Stop
from clawback.model.identity import Actor
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.stopping import stop_containment
from clawback.temporal.workflow_calls import NoSuchWorkflow, NoWorkerAnswered

ANSWERED_WITHIN: Final = timedelta(seconds=5)
"""How long a page waits. The guard answers in a moment, and a lease of three seconds must end."""
LONGEST: Final = timedelta(minutes=10)
"""How long an order is repeated. Who has waited for so long has found another way."""
_PAUSE: Final = timedelta(seconds=1)
_UNANSWERED: Final = (RPCError, NoWorkerAnswered, NoSuchWorkflow)

log = structlog.get_logger("clawback")


class StopAttempts:
    """The orders of this process that are not confirmed yet."""

    def __init__(self, guard: GuardGateway) -> None:
        self._guard = guard
        self._pending: set[asyncio.Task[Stop]] = set()

    @property
    def is_pending(self) -> bool:
        """Whether an order is under way."""
        return bool(self._pending)

    async def stop(self, actor: Actor, reason: str) -> Stop | None:
        """Order to stop. None if nobody has confirmed it in time: the order is then repeated.

        An order that is under way serves for whoever else gives one.
        """
        if not self._pending:
            task = asyncio.create_task(self._keep_ordering(actor, reason))
            self._pending.add(task)
            task.add_done_callback(self._end)
        task = next(iter(self._pending))
        done, _ = await asyncio.wait({task}, timeout=ANSWERED_WITHIN.total_seconds())
        return task.result() if done else None

    def withdraw(self) -> None:
        """Repeat no order any more: somebody resumes containment."""
        for task in self._pending:
            task.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End all orders when the block is left."""
        try:
            yield
        finally:
            self.withdraw()
            await asyncio.gather(*self._pending, return_exceptions=True)

    async def _keep_ordering(self, actor: Actor, reason: str) -> Stop:
        async with asyncio.timeout(LONGEST.total_seconds()):
            while True:
                try:
                    return await stop_containment(self._guard, actor, reason)
                except _UNANSWERED as error:
                    log.warning("stop.not_confirmed", error_type=type(error).__name__)
                await asyncio.sleep(_PAUSE.total_seconds())

    def _end(self, task: asyncio.Task[Stop]) -> None:
        self._pending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("stop.given_up", error_type=type(error).__name__)
