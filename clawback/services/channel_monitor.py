"""Shows in the metrics how many notifications of each channel wait."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.telemetry import metrics
from clawback.temporal.channel_health import count_waiting

INTERVAL = timedelta(seconds=30)
log = structlog.get_logger("clawback")


async def monitor_channels(client: Client, channels: Collection[str]) -> None:
    """Count what waits for each channel until cancelled."""
    while True:
        try:
            for channel in channels:
                for state, count in (await count_waiting(client, channel)).items():
                    metrics.NOTIFICATIONS_WAITING.labels(channel, state.value).set(count)
        except RPCError as error:
            log.warning("worker.channels_unreadable", error=error)
        await asyncio.sleep(INTERVAL.total_seconds())
