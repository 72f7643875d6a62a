"""Heartbeats for every activity with a heartbeat timeout, so that a killed worker is noticed."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_INTERVAL = 2.0
"""Seconds. An activity that ends sooner sends no heartbeat."""


class HeartbeatInterceptor(Interceptor):
    """Sends heartbeats while an activity runs."""

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002 - the base class names it
    ) -> ActivityInboundInterceptor:
        """Wrap the execution of activities."""
        return _HeartbeatInbound(next)


class _HeartbeatInbound(ActivityInboundInterceptor):
    async def execute_activity(
        self,
        input: ExecuteActivityInput,  # noqa: A002 - the base class names it
    ) -> Any:
        if activity.info().heartbeat_timeout is None:
            return await super().execute_activity(input)

        heartbeat = asyncio.create_task(_send_heartbeats())
        try:
            return await _finish(asyncio.ensure_future(super().execute_activity(input)))
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat


async def _finish(work: asyncio.Future[Any]) -> Any:
    """Wait for an activity.

    If the workflow cancels it, let it finish: its request may have taken effect, and only it knows.
    If the worker stops, cancel it.
    """
    while True:
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if work.done() or details is None or not details.cancel_requested:
                work.cancel()
                raise


async def _send_heartbeats() -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        activity.heartbeat()
