"""Every call on the guard: asking it, stopping it, confirming rules.

Typed, by name, and safe to repeat.
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
from clawback.temporal.updates import UpdateRefused

T = TypeVar("T")

_NO_SUCH_CALL = {RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED}
_UPDATE_TIME = timedelta(seconds=20)


class GuardGateway:
    """Typed access to the one guard of the account. It is started by whoever needs it first."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ensure(self) -> None:
        """Start the guard unless it runs."""
        await self.client.start_workflow(
            names.GUARD,
            GuardSnapshot(),
            id=names.GUARD_ID,
            task_queue=names.GUARD_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={names.STOPPED_MEMO: False},
            static_summary="budgets, demotions and the kill switch of this account",
        )

    async def reserve(self, reservation: ReservationBatch) -> dict[str, ReservationResult]:
        """Ask for some acts at once; the answers by the ids of the asks."""
        return await self._told(names.RESERVE, [reservation], dict[str, ReservationResult])

    async def status(self) -> GuardSnapshot | None:
        """Read what the guard knows; None where it was never started."""
        try:
            handle = self.client.get_workflow_handle(names.GUARD_ID)
            memory: GuardSnapshot = await handle.query(names.STATUS, result_type=GuardSnapshot)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return memory

    async def is_stopped(self) -> bool:
        """Whether the kill switch is on, by the server's own word.

        Where there is no guard, nobody may act either.

        It reads what the server has committed, needs no worker, and costs no action.
        """
        try:
            described = await self.client.get_workflow_handle(names.GUARD_ID).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise
        return bool(await described.memo_value(names.STOPPED_MEMO, default=False))

    async def stop(self, by: str, reason: str) -> Stop:
        """Turn the kill switch on, and stop the queue of containment.

        A request may still leave until `switch.LEASE` is over.
        """
        stopped = await self._told(names.STOP, [by, reason], Stop)
        await self._limit_queue(f"stopped by {by}: {reason}"[:200])
        return stopped

    async def resume(self, by: str) -> None:
        """Turn the kill switch off.

        Raises:
            UpdateRefused: it was not on.

        """
        try:
            await self._told(names.RESUME, [by], type(None))
        # the switch alone decides: a queue that an interrupted `resume` left stopped is opened
        # by the next
        finally:
            await self._limit_queue(None)

    async def confirm(self, rule: str, by: str) -> None:
        """Let a rule act again whose work was undone.

        Raises:
            Refused: nothing of that rule was undone.

        """
        await self._told(names.CONFIRM, [rule, by], type(None))

    async def _told(self, update: str, args: Sequence[Any], answer: type[T]) -> T:
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
                result_type=answer,
                rpc_timeout=_UPDATE_TIME,
            )
        except WorkflowUpdateFailedError as error:
            raise UpdateRefused(str(error.cause)) from error
        return result

    async def _limit_queue(self, reason: str | None) -> None:
        """Let nothing (or, without a reason, everything) out of the containment queue.

        A server that cannot is no matter.
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
            if error.status not in _NO_SUCH_CALL:
                raise
