"""Shows the state of the kill switch in the metrics and the log. Nothing acts on it."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from temporalio.service import RPCError

from clawback.telemetry import metrics
from clawback.temporal.guard_gateway import GuardGateway

READ_EVERY = timedelta(seconds=5)
log = structlog.get_logger("clawback")


async def monitor_kill_switch(guard: GuardGateway) -> None:
    """Read the kill switch until cancelled; log each change."""
    was_stopped = None
    while True:
        with suppress(RPCError):
            is_stopped = await guard.is_stopped()
            metrics.CONTAINMENT_STOPPED.set(is_stopped)
            if is_stopped is not was_stopped and (is_stopped or was_stopped is not None):
                log.warning(
                    "worker.containment_stopped" if is_stopped else "worker.containment_resumed"
                )
            was_stopped = is_stopped
        await asyncio.sleep(READ_EVERY.total_seconds())
