"""Shows in the metrics when a source is overdue, and whether a person has paused its poller."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

import structlog

from clawback.model.events import EventKind
from clawback.telemetry import metrics
from clawback.telemetry.health import max_poll_age, overdue_sources, poll_ages
from clawback.temporal.poller_gateway import PollerGateway

INTERVAL = timedelta(seconds=30)
log = structlog.get_logger("clawback")


class PollMonitor:
    """Publishes the limits of the poll lag, and asks a poller only while its source is overdue.

    A query would cost an action of Temporal each time.
    """

    def __init__(self, pollers: PollerGateway, intervals: Mapping[EventKind, timedelta]) -> None:
        self._pollers = pollers
        self._limits = {source.value: max_poll_age(each) for source, each in intervals.items()}
        self._began = time.monotonic()
        for source, limit in self._limits.items():
            metrics.POLL_LAG_LIMIT.labels(source).set(limit.total_seconds())

    async def watch(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL.total_seconds())

    async def check(self) -> None:
        """Check once which of the overdue sources are paused."""
        uptime = timedelta(seconds=time.monotonic() - self._began)
        late = overdue_sources(poll_ages(), uptime, self._limits)
        for source in EventKind:
            is_paused = source.value in late and await self._is_paused(source)
            metrics.POLL_PAUSED.labels(source.value).set(is_paused)

    async def _is_paused(self, source: EventKind) -> bool:
        try:
            return (await self._pollers.status(source)).state == "paused"
        except Exception as error:  # noqa: BLE001 - without an answer, nothing is excused
            log.warning("worker.poller_unreadable", source=source.value, error=error)
            return False
