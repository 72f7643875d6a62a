"""Decides when a worker is stuck, from the Temporal SDK's metrics and the backlog of its queues.

Pure: `services.worker_monitor` reads the metrics and reports the problems.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from clawback.model.durations import format_duration

PATIENCE = timedelta(minutes=1)
"""How long a worker may have no free slot, or make no progress with work pending."""
ALARM = timedelta(minutes=15)
"""How long a non-deterministic workflow task counts: its retries come minutes apart."""

_FREE = "temporal_worker_task_slots_available"
_FAILED = "temporal_workflow_task_execution_failed_total"
_NON_DETERMINISM = "NonDeterminismError"
_COMPLETED: Mapping[str, str] = {
    "temporal_workflow_task_execution_latency_seconds_count": "workflow",
    "temporal_activity_execution_latency_seconds_count": "activity",
}
_KINDS: Mapping[str, str] = {
    "WorkflowWorker": "workflow",
    "ActivityWorker": "activity",
    "LocalActivityWorker": "local activity",
}

Slots = tuple[str, str]
"""A kind of task (`workflow`, `activity`, `local activity`) and a task queue."""


class StuckReason(StrEnum):
    """Why a worker is stuck; label values of `clawback_worker_stuck`."""

    NO_FREE_SLOT = "no_free_slot"
    NO_PROGRESS = "no_progress"
    NON_DETERMINISM = "non_determinism"
    TASK_FAILED = "task_failed"


@dataclass
class WorkerSample:
    """What the SDK's metrics say at one moment.

    `free` counts free slots, `completed` the tasks executed so far, `failed` the workflow tasks
    that failed by type, `non_deterministic` those that did not fit their history.
    """

    free: dict[Slots, int] = field(default_factory=dict)
    completed: dict[Slots, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    non_deterministic: int = 0


def read_sample(page: str) -> WorkerSample:
    """Read a page of the SDK's metrics."""
    result = WorkerSample()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            _add(result, sample)
    return result


def _add(result: WorkerSample, sample: Sample) -> None:
    queue = sample.labels.get("task_queue", "")
    if sample.name == _FREE and sample.labels.get("worker_type") in _KINDS:
        result.free[_KINDS[sample.labels["worker_type"]], queue] = int(sample.value)
    elif (kind := _COMPLETED.get(sample.name)) is not None:
        slots = (kind, queue)
        result.completed[slots] = result.completed.get(slots, 0) + int(sample.value)
    elif sample.name == _FAILED:
        kind = sample.labels.get("workflow_type", "")
        result.failed[kind] = result.failed.get(kind, 0) + int(sample.value)
        if sample.labels.get("failure_reason") == _NON_DETERMINISM:
            result.non_deterministic += int(sample.value)


class WorkerHealth:
    """What is wrong with a worker, over time. Times are seconds on the monotonic clock."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self._patience = patience.total_seconds()
        self._full_since: dict[Slots, float] = {}
        self._progress: dict[Slots, tuple[int, float]] = {}
        self._pending_since: dict[Slots, float] = {}
        self._non_deterministic = 0
        self._alarm_until = float("-inf")

    def idle_slots(self, sample: WorkerSample) -> Iterable[Slots]:
        """The kinds of tasks that completed none since the last sample: ask for their backlog."""
        return [
            slots
            for slots, (completed, _) in self._progress.items()
            if sample.completed.get(slots, 0) == completed
        ]

    def update(self, sample: WorkerSample, backlog: Mapping[Slots, int], now: float) -> None:
        """Take a sample into account. `backlog` has the tasks that wait in idle queues."""
        for slots, free in sample.free.items():
            _keep_since(self._full_since, slots, now, holds=free <= 0)

        for slots in sample.free.keys() | sample.completed.keys():
            completed = sample.completed.get(slots, 0)
            if self._progress.get(slots, (-1, 0.0))[0] != completed:
                self._progress[slots] = (completed, now)
                self._pending_since.pop(slots, None)
            _keep_since(self._pending_since, slots, now, holds=backlog.get(slots, 0) > 0)

        if sample.non_deterministic > self._non_deterministic:
            self._alarm_until = now + ALARM.total_seconds()

        self._non_deterministic = sample.non_deterministic

    def problems(self, now: float) -> dict[StuckReason, str]:
        """Return each problem with one sentence about it."""
        found: dict[StuckReason, str] = {}
        for (kind, queue), since in self._overdue(self._full_since, now):
            found[StuckReason.NO_FREE_SLOT] = (
                f"no free {kind} slot on {queue} for {_format(now - since)}; restart this worker"
            )

        for (kind, queue), since in self._overdue(self._pending_since, now):
            found[StuckReason.NO_PROGRESS] = (
                f"no {kind} task of {queue} was done for {_format(now - since)} although some wait"
            )

        if now < self._alarm_until:
            found[StuckReason.NON_DETERMINISM] = (
                "a workflow does not fit this version of clawback (non-determinism); go back to "
                "the version that started it"
            )

        return found

    def _overdue(self, times: Mapping[Slots, float], now: float) -> list[tuple[Slots, float]]:
        limit = now - self._patience
        return [(slots, since) for slots, since in times.items() if since <= limit]


def _keep_since(times: dict[Slots, float], slots: Slots, now: float, *, holds: bool) -> None:
    if holds:
        times.setdefault(slots, now)
    else:
        times.pop(slots, None)


def _format(seconds: float) -> str:
    return format_duration(timedelta(seconds=int(seconds)))
