"""What the operations page reads: every source on its own, so that one that is down costs a row."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from temporalio.client import Client

from clawback.doctor.worker_checks import WorkerPage
from clawback.guard import GuardSnapshot
from clawback.local.installation import plan_installation
from clawback.local.status import WorkerMetrics
from clawback.local.status_collector import parse_worker_metrics
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.notifications import ChannelFileError, read_channels
from clawback.settings import Settings
from clawback.telemetry.worker_health import WorkerSample, read_sample
from clawback.temporal.channel_health import ChannelHealth, read_channel_health
from clawback.temporal.fan_out import UNANSWERED, Answers, call_each
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.queue_depths import QueueDepth, read_queue_depths
from clawback.temporal.worker_versions import Deployment, count_failing, read_deployment
from clawback.temporal.workflow_calls import NoSuchWorkflow

T = TypeVar("T")

PATIENCE: Final = 4.0
"""Seconds that one source may take."""
FRESH: Final = timedelta(seconds=2)
"""How long all who look share one reading."""


@dataclass(frozen=True)
class WorkerReading:
    """What one worker reports at `address`."""

    address: str
    metrics: WorkerMetrics
    slots: WorkerSample


@dataclass(frozen=True)
class OperationsReading:
    """All of it at one moment; None is what did not answer."""

    at: datetime
    pollers: Answers[PollerStatus] | None
    guard: GuardSnapshot | None
    queues: Sequence[QueueDepth] | None
    deployment: Deployment | None
    failing: int | None
    channels: Sequence[ChannelHealth] | None
    worker: WorkerReading | None
    worker_address: str


class OperationsReader:
    """Reads the sources together; whoever asks within two seconds gets the same reading."""

    def __init__(self, settings: Settings, client: Client, now: Callable[[], datetime]) -> None:
        self._settings, self._client, self._now = settings, client, now
        self._turn = asyncio.Lock()
        self._last: OperationsReading | None = None

    async def read(self) -> OperationsReading:
        """Read everything, each source for at most four seconds."""
        async with self._turn:
            if self._last is None or self._now() - self._last.at >= FRESH:
                self._last = await self._read()
            return self._last

    async def _read(self) -> OperationsReading:
        client, name = self._client, self._settings.deployment
        page = WorkerPage(plan_installation(self._settings))
        (pollers, guard, channels, worker), (queues, deployment, failing) = await asyncio.gather(
            asyncio.gather(
                _ask(self._read_pollers()),
                _ask(GuardGateway(client).status()),
                _ask(self._read_channels()),
                _ask(_read_worker(page)),
            ),
            asyncio.gather(
                _ask(read_queue_depths(client)),
                _ask(read_deployment(client, name)),
                _ask(count_failing(client)),
            ),
        )
        return OperationsReading(
            at=self._now(),
            pollers=pollers,
            guard=guard,
            queues=queues,
            deployment=deployment,
            failing=failing,
            channels=channels,
            worker=worker,
            worker_address=page.base,
        )

    async def _read_pollers(self) -> Answers[PollerStatus]:
        pollers = PollerGateway(self._client)
        answers = await call_each(lambda one: pollers.status(EventKind(one)), list(EventKind))
        return answers.without(NoSuchWorkflow)

    async def _read_channels(self) -> Sequence[ChannelHealth]:
        """Read the deliveries of the channels in the file of this console."""
        channels = await asyncio.to_thread(read_channels, self._settings.channels)
        return await read_channel_health(self._client, channels)


async def _read_worker(page: WorkerPage) -> WorkerReading:
    text = await page.read("/metrics")
    return WorkerReading(page.base, parse_worker_metrics(text), read_sample(text))


async def _ask(call: Awaitable[T]) -> T | None:
    with suppress(TimeoutError, OSError, ValueError, ChannelFileError, *UNANSWERED):
        return await asyncio.wait_for(call, PATIENCE)
    return None
