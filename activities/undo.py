"""Undoing what a case did: not charged, not stopped by the kill switch, and safe to repeat."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.containment import MessageOutcomes, ReclassifyMessage, move_all
from clawback.actions.outcomes import MOVED
from clawback.batching import Batcher
from clawback.cases.undo_judgement import UndoAssessment, assess_undo
from clawback.cases.undo_plan import UndoPlan, UndoScope, plan_undo
from clawback.cloudflare import EmailSecurity, Share, errors
from clawback.guard import UndoCharge
from clawback.ingest.present_verdicts import read_present_verdicts
from clawback.model.identity import Actor
from clawback.model.messages import MAX_MESSAGES_PER_REQUEST, Destination, Target
from clawback.model.payload import Payload
from clawback.model.texts import bounded
from clawback.rules.live_undo_policy import LiveUndoPolicy
from clawback.temporal import names
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.case_history import HistoryUnreadable
from clawback.temporal.case_sender import REFUSALS
from clawback.temporal.corrections import Corrections
from clawback.temporal.error_types import ErrorType
from clawback.temporal.fan_out import gather_limited
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.undo_gateway import (
    CaseRun,
    CaseUndoRequest,
    UndoRequest,
    read_undo_basis,
)
from clawback.temporal.workflow_calls import NoSuchWorkflow, NoWorkerAnswered, UpdateRefused

log = structlog.get_logger("clawback")

_SPOILT = (errors.InvalidRequest, errors.NotFound)
_IN_FLIGHT = timedelta(seconds=100)
"""How long a request of a terminated case may still be in flight.

Longer than any start-to-close timeout of containment.
"""
ENDING_PATIENCE = timedelta(minutes=5)
"""How long a case that is undone may take to end by itself; its requests take less."""
_RETRY_DELAY = timedelta(seconds=1)
_JOIN = timedelta(milliseconds=500)
"""How long a return of messages waits for those of other cases to join it."""
RETURNED = "returned"
_ASKED = 3
"""How often the guard is asked before what it counts is taken for unknown."""


class ReturnMessages(Payload):
    """Up to 1,000 messages to move back to the inbox."""

    targets: tuple[Target, ...]


class CorrectMessage(ReclassifyMessage):
    """The answer to a reclassification by a case, whose uid is `case`."""

    case: str


class AssessUndo(Payload):
    """An undo to judge, for whoever asked for it; `approved` is the digest of what is approved."""

    request: UndoRequest
    actor: Actor
    approved: str = ""


class UndoActivities:
    """The requests of undo, with their own share of the rate limit.

    `policy` says what one person may undo alone; the guard counts it.
    """

    def __init__(
        self,
        api: EmailSecurity,
        client: Client,
        own_submissions: OwnSubmissions,
        guard: GuardGateway,
        policy: LiveUndoPolicy,
    ) -> None:
        self._guard = guard
        self._policy = policy
        self._corrections = Corrections(client)
        self._api = api.on(Share.UNDO)
        self._client = client
        self._own_submissions = own_submissions
        self._returns = Batcher(
            partial(move_all, self._api, Destination.INBOX),
            MAX_MESSAGES_PER_REQUEST,
            pause=_JOIN,
            busy=_JOIN,
            spoilt=_SPOILT,
        )

    @activity.defn(name="undo.assess_cases")
    async def assess_cases(self, asked: AssessUndo) -> UndoAssessment:
        """Judge what an undo comes to now, by the present verdicts of the messages.

        Unless a second person must agree first, the guard counts it for whoever asked for it.
        """
        limits, request = self._policy.limits, asked.request

        async def plan(case: CaseRun) -> UndoPlan | None:
            return await self._plan_now(case, request.scope)

        with as_application_error():
            planned = await gather_limited(plan, request.cases)
            plans = [one for one in planned if one is not None]
            targets = [target for one in plans for target in one.messages]
            verdicts = await read_present_verdicts(self._api, targets) if limits else {}

        unread = len(planned) - len(plans)
        found = assess_undo(plans, verdicts, limits, unread=unread, is_part=request.pages > 1)
        rules = [one.rule for one in plans]
        told = {
            "channels": self._policy.channels(rules),
            "told_after": self._policy.told_after(rules),
        }
        found = found.model_copy(update=told)
        is_approved = asked.approved == found.digest
        if limits is None or not found.changes or (found.reasons and not is_approved):
            return found

        charge = UndoCharge.of(asked.actor, plans, found, limits, approved=is_approved)
        reasons = (*found.reasons, *await self._count(charge))
        return found.model_copy(update={"reasons": reasons})

    @activity.defn(name="undo.end_case")
    async def end_case(self, request: CaseUndoRequest) -> bool:
        """Tell a case that it is being undone, if it is still open.

        Return False if it takes no signal, for instance at Temporal's limit: then it is cancelled,
        which no limit applies to.
        """
        handle = self._client.get_workflow_handle(
            request.case.case, first_execution_run_id=request.case.first_run
        )
        scope = request.scope
        with suppress_not_found():
            try:
                await handle.signal(names.UNDO_REQUESTED, args=[scope.actor, scope.reason])
            except RPCError as error:
                if error.status not in REFUSALS:
                    raise
                await handle.cancel()
                return False
        return True

    @activity.defn(name="undo.read_case")
    async def read_case(self, request: CaseUndoRequest) -> UndoPlan:
        """Plan the undo of a case that has ended, or of some messages of a case in any state.

        Raises:
            ApplicationError: the case has not ended, or a request of it may be in flight; Temporal
                retries. A case that does not end in time is terminated.

        """
        described = await self._last_run(request.case)
        if request.scope.ends_cases and described.status is WorkflowExecutionStatus.RUNNING:
            await self._terminate_late(described)
            raise _not_yet("the case has not ended yet", _RETRY_DELAY)
        try:
            source = await read_undo_basis(self._client, described)
        except HistoryUnreadable as error:
            raise ApplicationError(
                str(error), type=ErrorType.NOT_FOUND, non_retryable=True
            ) from error
        if source.is_in_flight and described.close_time is not None:
            settled_at = described.close_time + _IN_FLIGHT
            if (left := settled_at - datetime.now(UTC)) > timedelta():
                raise _not_yet("a request of the case may still be in flight", left)
        return plan_undo(source.basis, request.scope)

    @activity.defn(name="undo.return_messages")
    async def return_messages(self, request: ReturnMessages) -> MessageOutcomes:
        """Move messages back to the inbox, in one request with those of other undos."""
        with as_application_error():
            moved = await self._returns.ask(request.targets)
        ids = {target.id for target in request.targets}
        return MessageOutcomes(
            outcomes={
                id_: RETURNED if outcome == MOVED else outcome
                for id_, outcome in moved.items()
                if id_ in ids
            }
        )

    @activity.defn(name="undo.reclassify_message")
    async def reclassify_message(self, request: CorrectMessage) -> bool:
        """Reclassify a message; False if another undo does, or did.

        The submission is first marked as ours, so that no rule sees it.
        """
        owner = activity.info().workflow_run_id or ""
        with as_application_error():
            if not await self._corrections.claim(request.case, request.target.id, owner):
                return False
            await self._own_submissions.mark(request.target, request.disposition)
            await self._api.reclassify(request.target.id, request.disposition)
        return True

    @activity.defn(name="undo.release_correction")
    async def release_correction(self, request: CorrectMessage) -> None:
        """Leave a correction that failed to the next undo of the case."""
        owner = activity.info().workflow_run_id or ""
        with as_application_error():
            await self._corrections.release(request.case, request.target.id, owner)

    async def _count(self, charge: UndoCharge) -> tuple[str, ...]:
        """Let the guard count an undo; what it does not know, a second person must agree to."""
        try:
            return await self._guard.count_undo(charge)
        except (NoSuchWorkflow, UpdateRefused):
            return (charge.unknown,)
        except (NoWorkerAnswered, RPCError) as error:
            if activity.info().attempt < _ASKED:
                why = f"the guard does not answer: {error}"
                raise ApplicationError(bounded(why), type=ErrorType.UNAVAILABLE) from error
            return (charge.unknown,)

    async def _plan_now(self, case: CaseRun, scope: UndoScope) -> UndoPlan | None:
        """Plan the undo of a case as it is now; None if it cannot be read."""
        try:
            source = await read_undo_basis(self._client, await self._last_run(case))
        except HistoryUnreadable:
            return None
        return plan_undo(source.basis, scope)

    async def _terminate_late(self, case: WorkflowExecutionDescription) -> None:
        """Terminate a case that cannot end, for instance because no worker has its version."""
        if datetime.now(UTC) - activity.info().scheduled_time < ENDING_PATIENCE:
            return
        log.warning("undo.case_terminated", case=case.id)
        handle = self._client.get_workflow_handle(case.id, run_id=case.run_id)
        with suppress_not_found():
            await handle.terminate(reason=f"undone, but not ended after {ENDING_PATIENCE}")

    async def _last_run(self, case: CaseRun) -> WorkflowExecutionDescription:
        """Follow continue-as-new from the run that was found to the last one."""
        run = case.run
        while True:
            handle = self._client.get_workflow_handle(case.case, run_id=run)
            described = await handle.describe()
            if described.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
                return described
            run = await _next_run(handle)


@contextmanager
def suppress_not_found() -> Iterator[None]:
    """Ignore that a workflow does not exist."""
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def _next_run(handle: WorkflowHandle[Any, Any]) -> str:
    async for event in handle.fetch_history_events(
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
    ):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    raise ApplicationError(
        "the case was continued as new without a new run",
        type=ErrorType.NOT_FOUND,
        non_retryable=True,
    )


def _not_yet(why: str, delay: timedelta) -> ApplicationError:
    return ApplicationError(why, type=ErrorType.UNAVAILABLE, next_retry_delay=delay)
