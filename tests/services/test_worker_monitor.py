"""A worker whose slots stay in use says so in its log, its metrics and `/healthz`."""

import asyncio
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from clawback.services.worker_monitor import WorkerMonitor
from clawback.telemetry import metrics
from clawback.telemetry.runtime import build_runtime
from clawback.telemetry.worker_health import StuckReason
from tests.waiting import eventually

QUEUE = "stuck"


def value_of(reason: StuckReason) -> float:
    """The metric that an alert reads."""
    return float(metrics.WORKER_STUCK.labels(reason.value)._value.get())


async def test_a_worker_without_free_slots_and_progress_is_stuck(temporal: Client) -> None:
    """It recovers when its slot is free again and the work goes on."""
    released = asyncio.Event()

    @activity.defn(name="stuck.wait")
    async def wait() -> None:
        await released.wait()

    runtime, scrape = build_runtime()
    client = await Client.connect(temporal.service_client.config.target_host, runtime=runtime)
    monitor = WorkerMonitor(client, scrape, patience=timedelta(seconds=1))

    async def is_stuck() -> bool | None:
        await monitor.check()
        return "no activity task" in str(monitor()) or None

    async def is_well() -> bool | None:
        await monitor.check()
        return monitor() is None or None

    async with Worker(client, task_queue=QUEUE, activities=[wait], max_concurrent_activities=1):
        for number in range(3):
            await client.start_activity(
                "stuck.wait",
                id=f"stuck/{number}",
                task_queue=QUEUE,
                start_to_close_timeout=timedelta(minutes=5),
            )
        await eventually(is_stuck)
        assert f"no free activity slot on {QUEUE} for" in str(monitor())
        assert value_of(StuckReason.NO_FREE_SLOT) == value_of(StuckReason.NO_PROGRESS) == 1
        released.set()
        await eventually(is_well)
        assert value_of(StuckReason.NO_FREE_SLOT) == value_of(StuckReason.NO_PROGRESS) == 0
