"""Typed calls on the guard: reserve, stop, resume, confirm a rule.

The guard is one workflow per account. Whoever needs it first starts it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from clawback.guard import GuardSnapshot, ReservationBatch, ReservationResult, Stop
from clawback.temporal import names
from clawback.temporal.workflow_calls import UpdateRefused

T = TypeVar("T")

_UNSUPPORTED = {RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED}
_UPDATE_TIMEOUT = timedelta(seconds=20)
_LONGEST_REASON = 200


class GuardGateway:
    """Typed access to the guard of the account over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ensure(self) -> None:
        """Start the guard unless it is running."""
        await self.client.start_workflow(
            names.GUARD,
            GuardSnapshot(),
            id=names.GUARD_ID,
            task_queue=names.GUARD_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={names.STOPPED_MEMO: False},
            static_summary="budgets, demotions and the kill switch of this account",
        )

    async def reserve(self, batch: ReservationBatch) -> dict[str, ReservationResult]:
        """Reserve several actions in one update; return the results by reservation id."""
        return await self._update(names.RESERVE, [batch], dict[str, ReservationResult])

    async def status(self) -> GuardSnapshot | None:
        """Read the guard's snapshot; None if the guard was never started."""
        try:
            handle = self.client.get_workflow_handle(names.GUARD_ID)
            snapshot: GuardSnapshot = await handle.query(names.STATUS, result_type=GuardSnapshot)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return snapshot

    async def is_stopped(self) -> bool:
        """Whether the kill switch is on. A lost guard counts as stopped.

        Reads the memo that the server has committed: needs no worker and costs no action.
        """
        try:
            described = await self.client.get_workflow_handle(names.GUARD_ID).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
        return bool(await described.memo_value(names.STOPPED_MEMO, default=False))

    async def stop(self, by: str, reason: str) -> Stop:
        """Turn the kill switch on and close the containment queue.

        Requests may still leave until `kill_switch.LEASE` has passed.
        """
        stopped = await self._update(names.STOP, [by, reason], Stop)
        await self._limit_queue(f"stopped by {by}: {reason}"[:_LONGEST_REASON])
        return stopped

    async def resume(self, by: str) -> None:
        """Turn the kill switch off and open the containment queue.

        Raises:
            UpdateRefused: the kill switch was not on.

        """
        try:
            await self._update(names.RESUME, [by], type(None))
        finally:
            # The kill switch alone decides. An interrupted `resume` may have left the queue closed,
            # so the next one opens it even if the guard refuses.
            await self._limit_queue(None)

    async def confirm(self, rule: str, by: str) -> None:
        """Let a demoted rule act without approval again.

        Raises:
            UpdateRefused: the rule is not demoted.

        """
        await self._update(names.CONFIRM, [rule, by], type(None))

    async def _update(self, update: str, args: Sequence[Any], result_type: type[T]) -> T:
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            names.GUARD,
            GuardSnapshot(),
            id=names.GUARD_ID,
            task_queue=names.GUARD_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={names.STOPPED_MEMO: False},
        )
        try:
            result: T = await self.client.execute_update_with_start_workflow(
                update,
                args=args,
                start_workflow_operation=start,
                result_type=result_type,
                rpc_timeout=_UPDATE_TIMEOUT,
            )
        except WorkflowUpdateFailedError as error:
            raise UpdateRefused(str(error.cause)) from error
        return result

    async def _limit_queue(self, reason: str | None) -> None:
        """Close the containment queue for a reason, or open it (None).

        A server without this call is fine: the kill switch holds without it.
        """
        limit = None if reason is None else RateLimit(requests_per_second=0)
        request = UpdateTaskQueueConfigRequest(
            namespace=self.client.namespace,
            identity="clawback",
            task_queue=names.CONTAIN_QUEUE,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
                rate_limit=limit, reason=reason or "resumed"
            ),
        )
        try:
            await self.client.workflow_service.update_task_queue_config(request)
        except RPCError as error:
            if error.status not in _UNSUPPORTED:
                raise
