"""Typed calls on the guard: reserve, stop, resume, confirm a rule, and what its memo shows.

The guard is one workflow per account. None of these calls starts it: a guard that is missing was
lost, and `guard_keeper` decides how it goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType, TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from clawback.guard import (
    MOST_DEMOTED,
    GuardMemo,
    GuardSnapshot,
    Loss,
    Past,
    ReservationBatch,
    ReservationResult,
    Stop,
    UndoCharge,
)
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.model.refusal import Refusal
from clawback.temporal import names
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.namespace_checks import REFUSED
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import (
    NoSuchWorkflow,
    QueryFailed,
    query_workflow,
    update_workflow,
)

T = TypeVar("T")

_ACCEPT_TIMEOUT = timedelta(seconds=20)
_QUERY_TIMEOUT = timedelta(seconds=15)
_LONGEST_REASON = 200
_CANNOT_REPLAY = {RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.INVALID_ARGUMENT}
_MOST_PASTS = 10
"""Guards that were lost one after the other before they had read their past."""


@dataclass(frozen=True, slots=True)
class GuardView:
    """What the server shows of the guard.

    `length` is that of its history. `is_reset` says that this run was started by a reset.
    """

    is_running: bool
    run: str
    length: int
    is_reset: bool
    memo: GuardMemo | None

    @property
    def is_noticed(self) -> bool:
        """Whether a reset, if there was one, was noticed and dealt with."""
        return not self.is_reset or (self.memo is not None and self.memo.recovered_run == self.run)

    @property
    def is_stopped(self) -> bool:
        """Whether the kill switch is on. A guard that ended or was reset counts as stopped."""
        return not self.is_running or self.memo is None or self.memo.stopped or not self.is_noticed


class GuardGateway:
    """Typed access to the guard of the account over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def start(self, snapshot: GuardSnapshot) -> None:
        """Start the guard with a snapshot unless it is running."""
        memo = GuardMemo(
            stopped=snapshot.stopped is not None,
            generation=snapshot.generation,
            decisions=snapshot.decisions,
            binding=snapshot.binding,
            demoted=tuple(sorted(snapshot.demoted)[:MOST_DEMOTED]),
        )
        await self.client.start_workflow(
            names.GUARD,
            snapshot,
            id=names.GUARD_ID,
            task_queue=names.GUARD_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            memo={names.GUARD_MEMO: memo},
            static_summary="budgets, demotions and the kill switch of this account",
        )

    async def look(self) -> GuardView | None:
        """Read what the server has committed; None if there is no guard.

        Needs no worker and costs no action.

        Raises:
            PayloadKeyError: the memo was encrypted with another key.
            RPCError: the server does not answer.

        """
        try:
            found = await self.client.get_workflow_handle(names.GUARD_ID).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

        extended = found.raw_description.workflow_extended_info
        return GuardView(
            is_running=found.status is WorkflowExecutionStatus.RUNNING,
            run=found.run_id,
            length=found.history_length,
            is_reset=extended.HasField("last_reset_time"),
            memo=await _read_memo(found),
        )

    async def closed_runs(self) -> AsyncIterator[str]:
        """Yield the runs of the guard that have ended, the last one first."""
        query = f"WorkflowId = '{names.GUARD_ID}' AND ExecutionStatus != 'Running'"
        found = [
            (run.close_time, run.run_id)
            async for run in self.client.list_workflows(query)
            if run.close_time is not None
        ]
        # Sorted here: SQL visibility stores refuse ORDER BY.
        for _, run in sorted(found, reverse=True):
            yield run

    async def reserve(self, batch: ReservationBatch) -> dict[str, ReservationResult]:
        """Reserve several actions in one update; return the results by reservation id.

        Raises:
            NoSuchWorkflow, UpdateRefused: the guard is lost; a worker will start it again.

        """
        return await self._update(names.RESERVE, [batch], dict[str, ReservationResult])

    async def count_undo(self, charge: UndoCharge) -> tuple[str, ...]:
        """Count an undo, unless a second person must agree first: then return why.

        Raises:
            NoSuchWorkflow, UpdateRefused: the guard is lost, and nobody knows what was undone.
            NoWorkerAnswered, RPCError: it does not answer now.

        """
        return tuple(await self._update(names.COUNT_UNDO, [charge], list[str]))

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
        """Whether the kill switch is on. A lost guard counts as stopped."""
        view = await self.look()
        return view is None or view.is_stopped

    async def report_loss(self, loss: Loss) -> None:
        """Tell the running guard that it was reset, or that its database is an older one."""
        await self.client.get_workflow_handle(names.GUARD_ID).signal(names.GUARD_LOST, loss)

    async def read_past(self, loss: Loss, *, may_replay: bool) -> Past:
        """Read what a lost guard knew, back to a run that had read its own past.

        Raises:
            RPCError: the server or the workers do not answer.

        """
        is_complete, run = loss.is_complete, loss.run
        for _ in range(_MOST_PASTS):
            if run is None:
                break

            past = await self._read_run(run, may_replay=may_replay)
            is_complete = is_complete and past.is_complete
            if past.snapshot is None or past.snapshot.loss is None:
                return past.model_copy(update={"is_complete": is_complete})

            is_complete = is_complete and past.snapshot.loss.is_complete
            run = past.snapshot.loss.run

        return Past()

    async def stop(self, actor: Actor, reason: str) -> Stop:
        """Turn the kill switch on and close the containment queues.

        Requests may still leave until `kill_switch.LEASE` has passed. It holds without the queues,
        so a server that lets nobody close them is fine.

        Raises:
            NoSuchWorkflow: there is no guard.
            UpdateRefused: the guard has ended, so containment is stopped.

        """
        stopped = await self._order(names.STOP, Verb.STOP, actor, Stop, reason=reason)
        await self.close_queues(f"stopped by {actor.label}: {reason}"[:_LONGEST_REASON])
        return stopped

    async def resume(self, actor: Actor, reason: str = "") -> None:
        """Turn the kill switch off and open the containment queues.

        Raises:
            NoSuchWorkflow: there is no guard.
            UpdateRefused: the kill switch was not on, or the guard has ended.

        """
        try:
            await self._order(names.RESUME, Verb.RESUME, actor, type(None), reason=reason)
        finally:
            # The kill switch alone decides. An interrupted `resume` may have left a queue closed,
            # so the next one opens it even if the guard refuses.
            await self._limit_queues(None)

    async def confirm(self, rule: str, actor: Actor, reason: str = "") -> None:
        """Let a demoted rule act without approval again.

        Raises:
            UpdateRefused: the rule is not demoted.

        """
        await self._order(
            names.CONFIRM, Verb.CONFIRM_RULE, actor, type(None), reason=reason, content=rule
        )

    async def _order(  # noqa: PLR0913 - what an order consists of
        self,
        update: str,
        verb: Verb,
        actor: Actor,
        result_type: type[T],
        *,
        reason: str,
        content: str = "",
    ) -> T:
        signed = sign_order(
            self.client, verb, names.GUARD_ID, actor, reason=reason, content=content
        )
        return await self._update(update, [signed], result_type)

    async def _update(self, update: str, args: Sequence[Any], result_type: type[T]) -> T:
        handle = self.client.get_workflow_handle(names.GUARD_ID)
        return await update_workflow(handle, update, list(args), result_type, _ACCEPT_TIMEOUT)

    async def _read_run(self, run: str, *, may_replay: bool) -> Past:
        handle = self.client.get_workflow_handle(names.GUARD_ID, run_id=run)
        try:
            if may_replay:
                snapshot = await query_workflow(
                    handle, names.STATUS, GuardSnapshot, rpc_timeout=_QUERY_TIMEOUT
                )
                return Past(snapshot=snapshot, is_complete=True)
        except NoSuchWorkflow:
            return Past()
        except (RPCError, QueryFailed) as error:
            # A run that does not replay never will: what it began with is left to read.
            if isinstance(error, RPCError) and error.status not in _CANNOT_REPLAY:
                raise

        return await self._read_input(run)

    async def _read_input(self, run: str) -> Past:
        """Read with what a run started: all it ever knew, if no worker had taken it up."""
        handle = self.client.get_workflow_handle(names.GUARD_ID, run_id=run)
        events = (await handle.fetch_history()).events
        payloads = events[0].workflow_execution_started_event_attributes.input.payloads
        converter = self.client.data_converter.with_context(
            WorkflowSerializationContext(self.client.namespace, names.GUARD_ID)
        )

        try:
            (snapshot,) = await converter.decode(payloads, [GuardSnapshot])
        except (ValueError, PayloadRefused):
            return Past()

        # Without a finished task the run changed nothing after its start.
        had_task = any(
            one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for one in events
        )
        return Past(snapshot=snapshot, is_complete=not had_task)

    async def close_queues(self, reason: str) -> bool:
        """Close the containment queues; False if the server does not do that."""
        try:
            return await self._limit_queues(reason)
        except RPCError:
            return False

    async def can_close_queues(self) -> bool:
        """Whether the server lets us close the containment queues. Changes nothing."""
        return await self._configure_queues(None)

    async def _limit_queues(self, reason: str | None) -> bool:
        """Close the containment queues for a reason, or open them (None).

        Returns False if the server does not let us.
        """
        # 0 closes the queue, although `temporal task-queue config get` prints it as not set.
        limit = None if reason is None else RateLimit(requests_per_second=0)
        update = UpdateTaskQueueConfigRequest.RateLimitUpdate
        return await self._configure_queues(update(rate_limit=limit, reason=reason or "resumed"))

    async def _configure_queues(
        self, update: "UpdateTaskQueueConfigRequest.RateLimitUpdate | None"
    ) -> bool:
        done = await asyncio.gather(
            *(self._configure_queue(queue, update) for queue in names.STOPPABLE_QUEUES)
        )
        return all(done)

    async def _configure_queue(
        self, queue: str, update: "UpdateTaskQueueConfigRequest.RateLimitUpdate | None"
    ) -> bool:
        request = UpdateTaskQueueConfigRequest(
            namespace=self.client.namespace,
            identity="clawback",
            task_queue=queue,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=update,
        )
        try:
            await self.client.workflow_service.update_task_queue_config(request)
        except RPCError as error:
            if error.status not in REFUSED:
                raise
            return False

        return True


async def _read_memo(found: WorkflowExecutionDescription) -> GuardMemo | None:
    try:
        memo = await found.memo_value(names.GUARD_MEMO, default=None, type_hint=GuardMemo)
    except ValidationError:
        return None
    except PayloadRefused as refused:
        raise PayloadKeyError(explain_refusal(refused, found.namespace)) from refused
    return memo if isinstance(memo, GuardMemo) else None


def explain_refusal(refused: PayloadRefused, namespace: str) -> str:
    """Say what is wrong with our keys, and what to do, in one sentence."""
    key = f"key {refused.key}" if refused.key else "a key"
    match refused.refusal:
        case Refusal.NO_KEY:
            what = f"is encrypted with {key}, and no key is set"
            remedy = "set CLAWBACK_ENCRYPTION_KEY_FILE to the key file of its workers"
        case Refusal.UNKNOWN_KEY:
            what = f"is encrypted with {key}, which is not among ours"
            remedy = "set CLAWBACK_ENCRYPTION_KEY_FILE to a key file that has it"
        case Refusal.PLAINTEXT:
            what = "is not encrypted, and a key is set"
            remedy = "set CLAWBACK_ENCRYPTION=migrate until what is open has ended"
        case _:
            what = f"has a guard whose memo {refused.refusal}"
            remedy = "find out who else writes to this namespace"

    return f"the data of namespace {namespace} {what}; {remedy}"
