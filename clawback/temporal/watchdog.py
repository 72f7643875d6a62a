"""The watchdog: the schedule that starts missing pollers again.

Its memo names the account of the namespace, should the guard be missing that names it otherwise.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from clawback.guard import Binding
from clawback.temporal import names

WATCHDOG_SCHEDULE = "watchdog"
MOST_DELETED = 200
"""Runs that are deleted at a time."""
_WATCH_EVERY = timedelta(minutes=5)


async def create_watchdog(client: Client, binding: Binding) -> None:
    """Create the schedule unless it exists."""
    # Never updated: an update would also resume a schedule that somebody has paused.
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            WATCHDOG_SCHEDULE, _watchdog(), memo={names.BINDING_MEMO: binding}
        )


async def delete_past_runs(client: Client, most: int = MOST_DELETED) -> int:
    """Delete runs of the watchdog that have completed; return how many.

    One in five minutes, each kept as long as cases are, would be most of what an idle installation
    writes to its database. Nothing reads them.

    Raises:
        RPCError: the server does not answer, or does not allow it.

    """
    query = f"WorkflowType = '{names.WATCHDOG}' AND ExecutionStatus = 'Completed'"
    deleted = 0
    async for run in client.list_workflows(query, limit=most):
        execution = WorkflowExecution(workflow_id=run.id, run_id=run.run_id)
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        )
        deleted += 1
    return deleted


def _watchdog() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.WATCHDOG, id="watchdog", task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_WATCH_EVERY)]),
        # Missed runs are worth nothing; 10 s is the shortest window that the server takes.
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)
        ),
    )
