"""Taking back what a case did.

Never charged, never stopped by the kill switch, ahead of every queue, and safe to repeat.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

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

from activities.containment import MessageOutcomes, ReclassifyMessage
from clawback.actions.move import move_outcomes
from clawback.actions.outcomes import MOVED
from clawback.batching import Batcher
from clawback.cases import BATCH as MOST_IDS
from clawback.cases import CaseStart
from clawback.cases.undo_plan import UndoPlan, plan_undo
from clawback.cloudflare import EmailSecurity, MoveItem, Share, errors
from clawback.model.messages import Destination, Target
from clawback.model.payload import Payload
from clawback.temporal import names
from clawback.temporal.application_errors import as_application_error
from clawback.temporal.error_types import ErrorType
from clawback.temporal.own_submissions import OwnSubmissions
from clawback.temporal.undo_gateway import CaseUndoRequest

_SPOILT = (errors.InvalidRequest, errors.NotFound)
_IN_FLIGHT = timedelta(seconds=70)
"""How long a request of a case that was ended from outside may still be under way.

Longer than any start-to-close of containment.
"""
_LOOK_AGAIN = timedelta(seconds=1)
RETURNED = "returned"


class ReturnMessages(Payload):
    """Up to 1,000 messages to move back to the inbox."""

    targets: tuple[Target, ...]


class UndoActivities:
    """The requests of undo."""

    def __init__(self, api: EmailSecurity, client: Client, own: OwnSubmissions) -> None:
        self._api = api.on(Share.UNDO)
        self._client = client
        self._own = own
        self._returning = Batcher(self._return, MOST_IDS, spoilt=_SPOILT)

    @activity.defn(name="undo.end_case")
    async def end_case(self, request: CaseUndoRequest) -> None:
        """Tell an open case that it is undone; one that is closed needs no telling."""
        handle = self._client.get_workflow_handle(
            request.case, first_execution_run_id=request.first_run
        )
        with suppress_not_found():
            await handle.signal(names.UNDO_REQUESTED, args=[request.scope.by, request.scope.reason])

    @activity.defn(name="undo.read_case")
    async def read_case(self, request: CaseUndoRequest) -> UndoPlan:
        """Say what is to be taken back of a case that has ended (or, for single messages, of one as it stands).

        Raises:
            ApplicationError: it has not ended yet, or a request of it may still be under way; the
                engine asks again.

        """
        handle, described = await self._last_run(request)
        if request.scope.ends_cases and described.status is WorkflowExecutionStatus.RUNNING:
            raise _not_yet("the case has not ended yet", _LOOK_AGAIN)
        start: CaseStart = await handle.query(names.STATUS, result_type=CaseStart)
        if start.snapshot is None:
            raise ApplicationError(
                "the case has no memory", type=ErrorType.NOT_FOUND, non_retryable=True
            )
        if start.snapshot.in_progress is not None and described.close_time is not None:
            settled_at = described.close_time + _IN_FLIGHT
            if (left := settled_at - datetime.now(UTC)) > timedelta():
                raise _not_yet("a request of the case may still be under way", left)
        return plan_undo(start.plan, start.snapshot, request.scope)

    @activity.defn(name="undo.return_messages")
    async def return_messages(self, request: ReturnMessages) -> MessageOutcomes:
        """Move messages back to the inbox, in one request with whatever else is returned now.

        A repeat changes nothing.
        """
        with as_application_error():
            answers = await self._returning.ask([target.id for target in request.targets])
        outcomes = move_outcomes(request.targets, answers)
        return MessageOutcomes(
            outcomes={
                one: RETURNED if outcome == MOVED else outcome for one, outcome in outcomes.items()
            }
        )

    @activity.defn(name="undo.reclassify_message")
    async def reclassify_message(self, request: ReclassifyMessage) -> None:
        """Ask for the opposite reclassification.

        Every call is a new submission, and is marked as ours first.
        """
        with as_application_error():
            await self._own.mark(request.target, request.disposition)
            await self._api.reclassify(request.target.id, request.disposition)

    async def _return(self, ids: Sequence[str]) -> tuple[MoveItem, ...]:
        return await self._api.move(ids, Destination.INBOX)

    async def _last_run(
        self, request: CaseUndoRequest
    ) -> tuple[WorkflowHandle[Any, Any], WorkflowExecutionDescription]:
        """Follow a case over its continuations to the run that it is in, or ended in."""
        run = request.run
        while True:
            handle = self._client.get_workflow_handle(request.case, run_id=run)
            described = await handle.describe()
            if described.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
                return handle, described
            run = await _next_run(handle)


@contextmanager
def suppress_not_found() -> Iterator[None]:
    """Ignore that a workflow is not there."""
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
    raise ApplicationError("the case goes on nowhere", type=ErrorType.NOT_FOUND, non_retryable=True)


def _not_yet(why: str, delay: timedelta) -> ApplicationError:
    return ApplicationError(why, type=ErrorType.UNAVAILABLE, next_retry_delay=delay)
