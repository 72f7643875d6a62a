"""A workflow that computes for long is slow, not deadlocked."""

import time

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from clawback.temporal.deadlock_detection import be_patient

QUEUE = "slow"
LONGER_THAN_THE_SDK_WAITS = 2.3
FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED


@workflow.defn(name="slow")
class Slow:
    """Computes for long in a handler, as a replay of a large case does on a busy machine."""

    def __init__(self) -> None:
        self._is_done = False

    @workflow.run
    async def run(self) -> None:
        """Wait for the handler."""
        await workflow.wait_condition(lambda: self._is_done)

    @workflow.signal
    async def compute(self) -> None:
        """Hold the thread: computing would, and takes a core from the other tests."""
        time.sleep(LONGER_THAN_THE_SDK_WAITS)  # noqa: ASYNC251 - holds the thread on purpose
        self._is_done = True


async def test_a_workflow_that_computes_for_long_goes_on(temporal: Client) -> None:
    """Its task is not failed, and nothing is left that cannot be evicted."""
    worker = Worker(
        temporal,
        task_queue=QUEUE,
        workflows=[Slow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    be_patient(worker)
    async with worker:
        handle = await temporal.start_workflow(
            Slow.run, id="slow", task_queue=QUEUE, start_signal="compute"
        )
        await handle.result()
    history = await handle.fetch_history()
    assert [event.event_id for event in history.events if event.event_type == FAILED] == []
