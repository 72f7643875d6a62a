"""When a worker is stuck: no free slot, no progress with work pending, non-determinism."""

import pytest

from clawback.telemetry.worker_health import (
    ALARM,
    StuckReason,
    WorkerHealth,
    WorkerSample,
    read_sample,
)

CASES, READING = ("workflow", "clawback"), ("activity", "clawback-read")
PAGE = """
# TYPE temporal_worker_task_slots_available gauge
temporal_worker_task_slots_available{task_queue="clawback",worker_type="WorkflowWorker"} 3
temporal_worker_task_slots_available{task_queue="clawback-read",worker_type="ActivityWorker"} 0
temporal_worker_task_slots_available{task_queue="clawback",worker_type="NexusWorker"} 0
# TYPE temporal_workflow_task_execution_latency_seconds histogram
temporal_workflow_task_execution_latency_seconds_bucket{task_queue="clawback",le="+Inf"} 9
temporal_workflow_task_execution_latency_seconds_sum{task_queue="clawback",workflow_type="a"} 1
temporal_workflow_task_execution_latency_seconds_count{task_queue="clawback",workflow_type="a"} 4
temporal_workflow_task_execution_latency_seconds_count{task_queue="clawback",workflow_type="b"} 5
# TYPE temporal_workflow_task_execution_failed_total counter
temporal_workflow_task_execution_failed_total{failure_reason="NonDeterminismError"} 2
temporal_workflow_task_execution_failed_total{failure_reason="WorkflowError"} 7
"""


def test_the_metrics_of_the_sdk_are_read() -> None:
    """Counts of all workflow types are summed; other slots and failures do not count."""
    sample = read_sample(PAGE)
    assert sample.free == {CASES: 3, READING: 0}
    assert sample.completed == {CASES: 9}
    assert sample.non_deterministic == 2


def test_a_worker_without_a_free_slot_for_a_minute_is_stuck() -> None:
    """One free slot in between starts the minute again."""
    health = WorkerHealth()
    for seconds, free in ((0, 0), (50, 1), (60, 0), (110, 0)):
        health.update(WorkerSample(free={READING: free}), {}, seconds)
        assert health.problems(seconds) == {}
    assert health.problems(119.9) == {}
    assert health.problems(120) == {
        StuckReason.NO_FREE_SLOT: "no free activity slot on clawback-read for 1m; "
        "restart this worker"
    }


@pytest.mark.parametrize(
    ("completed", "backlog", "is_stuck"),
    [((5, 5), 3, True), ((5, 6), 3, False), ((5, 5), 0, False)],
    ids=["work waits and none is done", "work is done", "no work waits"],
)
def test_no_progress_counts_while_work_waits(
    completed: tuple[int, int], backlog: int, *, is_stuck: bool
) -> None:
    """A queue without work is idle, not stuck."""
    health = WorkerHealth()
    for seconds in range(0, 80, 10):
        sample = WorkerSample(completed={CASES: completed[seconds > 30]})
        waiting = dict.fromkeys(health.idle_slots(sample), backlog)
        health.update(sample, waiting, seconds)
    assert (StuckReason.NO_PROGRESS in health.problems(75)) is is_stuck


def test_a_non_deterministic_task_counts_for_a_while() -> None:
    """Its retries come minutes apart."""
    health = WorkerHealth()
    health.update(WorkerSample(non_deterministic=1), {}, 0)
    health.update(WorkerSample(non_deterministic=1), {}, 10)
    assert StuckReason.NON_DETERMINISM in health.problems(20)
    assert health.problems(ALARM.total_seconds() + 1) == {}
