"""Watches this worker process for slots that stay in use and queues that make no progress."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta

import structlog
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as VersionMessage
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError

from clawback.model.loggable import LoggableText
from clawback.telemetry import metrics
from clawback.telemetry.exposition import Scrape
from clawback.telemetry.worker_health import (
    PATIENCE,
    Slots,
    StuckReason,
    WorkerHealth,
    read_sample,
)
from clawback.temporal import names
from clawback.temporal.request_slots import RequestSlots

INTERVAL = timedelta(seconds=10)
_MAX_SILENCE = timedelta(minutes=1)
_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
log = structlog.get_logger("clawback")


class WorkerMonitor:
    """Logs and counts what is wrong with this worker, and says it to `/healthz`.

    With a version, only work for that version counts: no other is this worker's to do.
    """

    def __init__(
        self,
        client: Client,
        scrape: Scrape,
        version: WorkerDeploymentVersion | None = None,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._client = client
        self._scrape = scrape
        self._version = version
        self._health = WorkerHealth(patience)
        self._problems: dict[StuckReason, str] = {}
        self._failed: Mapping[str, int] = {}
        self._slots: Mapping[str, RequestSlots] = {}
        self._updated_at = time.monotonic()

    def __call__(self) -> str | None:
        """Return what is wrong, or None. May be called from another thread."""
        # The thread that serves `/healthz` still runs when the event loop does not.
        silence = time.monotonic() - self._updated_at
        if silence > _MAX_SILENCE.total_seconds():
            return f"the event loop of this worker is blocked for {silence:.0f} s; restart it"
        return "; ".join(self._problems.values()) or None

    def excuse(self, slots: Mapping[str, RequestSlots]) -> None:
        """Expect no progress in these queues while the rate limit holds their slots back."""
        self._slots = slots

    async def watch(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL.total_seconds())

    async def check(self) -> None:
        """Check once; log what is new and what is over."""
        self._updated_at = time.monotonic()
        try:
            # In a thread, because it reads from a socket.
            page = await asyncio.to_thread(self._scrape)
        except OSError as error:
            log.warning("worker.metrics_unavailable", error=error)
            return

        sample = read_sample(page.decode())
        self._count_failures(sample.failed)
        backlog = await self._read_backlog(self._health.idle_slots(sample))
        now = time.monotonic()
        self._health.update(sample, backlog, now)
        self._report(self._health.problems(now))

    def _count_failures(self, failed: Mapping[str, int]) -> None:
        """Count failed workflow tasks: the SDK has no series before the first one."""
        for workflow_type, count in failed.items():
            news = max(count - self._failed.get(workflow_type, 0), 0)
            metrics.WORKFLOW_TASK_FAILURES.labels(workflow_type).inc(news)
        self._failed = failed

    def _report(self, problems: dict[StuckReason, str]) -> None:
        # What fails in the background is shown by the supervisor: this is one of its tasks.
        for reason in set(StuckReason) - {StuckReason.TASK_FAILED}:
            metrics.WORKER_STUCK.labels(reason.value).set(reason in problems)
            if reason in problems and reason not in self._problems:
                log.error("worker.stuck", reason=reason, problem=LoggableText(problems[reason]))
            if reason in self._problems and reason not in problems:
                log.info("worker.recovered", reason=reason)

        self._problems = problems

    async def _read_backlog(self, idle: Iterable[Slots]) -> dict[Slots, int]:
        queues = [slots for slots in idle if self._must_progress(*slots)]
        versioned = await self._read_version(self._version) if self._version and queues else {}
        others = [slots for slots in queues if slots not in versioned]
        counts = await asyncio.gather(*(self._read_queue(*slots) for slots in others))
        return {
            **{slots: versioned[slots] for slots in queues if slots in versioned},
            **dict(zip(others, counts, strict=True)),
        }

    async def _read_version(self, version: WorkerDeploymentVersion) -> dict[Slots, int]:
        """Count the tasks that wait for a version in each of its queues."""
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self._client.namespace,
            deployment_version=VersionMessage(
                deployment_name=version.deployment_name, build_id=version.build_id
            ),
            report_task_queue_stats=True,
        )
        try:
            answer = await self._client.workflow_service.describe_worker_deployment_version(
                request, timeout=INTERVAL
            )
        except RPCError:
            return {}
        kinds = {number: kind for kind, number in _TYPES.items()}
        return {
            (kinds[queue.type], queue.name): queue.stats.approximate_backlog_count
            for queue in answer.version_task_queues
            if queue.type in kinds
        }

    def _must_progress(self, kind: str, queue: str) -> bool:
        """Whether a backlog means trouble: the queue is neither stopped nor rate limited."""
        is_stopped = next(iter(metrics.CONTAINMENT_STOPPED.collect())).samples[0].value == 1.0
        is_closed = queue in names.STOPPABLE_QUEUES and is_stopped
        is_waiting = queue in self._slots and self._slots[queue].is_closed
        return kind in _TYPES and not is_closed and not is_waiting

    async def _read_queue(self, kind: str, queue: str) -> int:
        """Count the tasks that wait; 0 if the server does not say."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_TYPES[kind],
            report_stats=True,
        )
        try:
            answer = await self._client.workflow_service.describe_task_queue(
                request, timeout=INTERVAL
            )
        except RPCError:
            return 0

        return answer.stats.approximate_backlog_count
