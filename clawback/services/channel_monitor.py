"""Shows in the metrics how many notifications of each channel wait, and which channels fail."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.model.notification_state import NotificationState
from clawback.telemetry import metrics
from clawback.temporal.channel_health import read_channel_health

INTERVAL = timedelta(seconds=30)
log = structlog.get_logger("clawback")


async def monitor_channels(client: Client, channels: Collection[str]) -> None:
    """Read the health of each channel until cancelled."""
    while True:
        try:
            for one in await read_channel_health(client, channels):
                metrics.CHANNEL_FAILING.labels(one.channel).set(one.is_failing)
                for state, count in (
                    (NotificationState.WAITING, one.waiting),
                    (NotificationState.QUIET, one.quiet),
                ):
                    metrics.NOTIFICATIONS_WAITING.labels(one.channel, state.value).set(count)
        except RPCError as error:
            log.warning("worker.channels_unreadable", error=error)
        await asyncio.sleep(INTERVAL.total_seconds())
