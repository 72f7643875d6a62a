"""Heartbeats for every activity that has a heartbeat timeout.

How the server finds out soon that a worker was killed.
"""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_EVERY = 2.0
"""Seconds; an activity that is done sooner sends none, and costs none."""


class HeartbeatInterceptor(Interceptor):
    """Beats while an activity runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the base class names it
        """Wrap the execution of activities."""
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the base class names it
        if activity.info().heartbeat_timeout is None:
            return await super().execute_activity(input)
        beat = asyncio.create_task(_beat())
        try:
            return await _to_its_end(asyncio.ensure_future(super().execute_activity(input)))
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat


async def _to_its_end(work: asyncio.Future[Any]) -> Any:
    """Wait for an activity.

    One that its workflow cancels has begun: it says what became of it. A worker that stops waits
    for none.
    """
    while True:
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if work.done() or details is None or not details.cancel_requested:
                work.cancel()
                raise


async def _beat() -> None:
    while True:
        await asyncio.sleep(_EVERY)
        activity.heartbeat()
