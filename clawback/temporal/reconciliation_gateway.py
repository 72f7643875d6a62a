"""Starts reconciliations, by schedule and by hand, and reads what the last one found."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    WorkflowHandle,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.model.reconciliation import Reconcile, Reconciliation
from clawback.temporal import names
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import NoWorkerAnswered, UpdateRefused, await_result

RECONCILIATION_SCHEDULE = "reconciliation"
EVERY = timedelta(days=1)
PATIENCE = timedelta(minutes=5)
"""How long a person waits; the reconciliation goes on after that."""
_SOON = timedelta(minutes=10)
_MOST_LOOKED_AT = 20


class ReconciliationGateway:
    """Typed access to reconciliations over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ensure_schedule(self) -> None:
        """Create the daily schedule unless it exists, and let it run now: a worker has started.

        Workers that start again and again cost no more than a run in ten minutes.
        """
        # Never updated: an update would also resume a schedule that somebody has paused.
        with suppress(ScheduleAlreadyRunningError):
            await self._client.create_schedule(RECONCILIATION_SCHEDULE, _daily())

        handle = self._client.get_schedule_handle(RECONCILIATION_SCHEDULE)
        described = await handle.describe()
        recent = [one.started_at for one in described.info.recent_actions]
        is_due = all(datetime.now(UTC) - at > _SOON for at in recent)
        if is_due and not described.schedule.state.paused:
            await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP)

    async def look(self) -> Reconciliation:
        """Find out what a reconciliation would do now; raises what `run` raises."""
        return await self._run(Reconcile(dry_run=True), PATIENCE)

    async def run(
        self, actor: Actor, reason: str = "", patience: timedelta = PATIENCE
    ) -> Reconciliation:
        """Reconcile now for somebody, and wait for what it finds.

        Raises:
            UpdateRefused: somebody else's run has not ended yet.
            NoWorkerAnswered: it has not ended within `patience`; it goes on.
            WorkflowFailed: it failed.

        """
        order = sign_order(self._client, Verb.RECONCILE, names.RECONCILIATION, actor, reason=reason)
        return await self._run(Reconcile(order=order), patience)

    async def _run(self, request: Reconcile, patience: timedelta) -> Reconciliation:
        try:
            handle: WorkflowHandle[object, Reconciliation] = await self._client.start_workflow(
                names.RECONCILIATION,
                request,
                id=names.RECONCILIATION,
                task_queue=names.WORKFLOW_QUEUE,
                result_type=Reconciliation,
            )
        except WorkflowAlreadyStartedError:
            raise UpdateRefused(
                "a reconciliation is under way; try again when it is over"
            ) from None

        try:
            async with asyncio.timeout(patience.total_seconds()):
                return await await_result(handle)
        except TimeoutError:
            raise NoWorkerAnswered(
                "the reconciliation has not ended yet: no worker runs, or the API is slow; "
                "`clawback doctor` shows what it found"
            ) from None

    async def read_last(self) -> Reconciliation | None:
        """Read the newest result that was no dry run; None if the server keeps none."""
        query = f"WorkflowType = '{names.RECONCILIATION}' AND ExecutionStatus = 'Completed'"
        async for execution in self._client.list_workflows(query, limit=_MOST_LOOKED_AT):
            handle: WorkflowHandle[object, Reconciliation] = self._client.get_workflow_handle(
                execution.id, run_id=execution.run_id, result_type=Reconciliation
            )
            result = await await_result(handle)
            if not result.dry_run:
                return result
        return None


def _daily() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.RECONCILIATION, id=names.RECONCILIATION, task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=1)
        ),
    )
