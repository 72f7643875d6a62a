"""Reads what a case did from its history on the server: no worker, and no replay of the case.

The last run of a case is enough: it starts with everything that earlier runs knew. Its activities
say what happened since. This works whatever became of the case: open, closed, terminated, failed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from clawback.actions import Action
from clawback.actions.outcomes import CREATED, MOVED, TOOK_EFFECT, UNKNOWN
from clawback.cases import CasePlan, CaseStart, Match
from clawback.cases.authority import Authority
from clawback.cases.undo_plan import Change, UndoBasis, without_returned
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.temporal import names
from clawback.temporal.error_types import ErrorType

T = TypeVar("T")


class HistoryUnreadable(ValueError):
    """The history of a case cannot be read; the text says why."""


class ChangeRequest(Payload):
    """The argument of an activity that changes something, as far as undo needs it."""

    action: Action
    targets: tuple[Target, ...] = ()
    target: Target | None = None
    authority: Authority | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The keys of its outcomes."""
        return self.action.subjects(self.all_targets)

    @property
    def all_targets(self) -> tuple[Target, ...]:
        """The messages that it is about."""
        return self.targets if self.target is None else (self.target,)


class ChangeResult(Payload):
    """The result of such an activity: the outcomes of messages, or an entry."""

    outcomes: dict[str, str] | None = None

    def outcome(self, subject: str) -> str:
        """The outcome of one subject; a message that the response does not name is unknown."""
        return CREATED if self.outcomes is None else self.outcomes.get(subject, UNKNOWN)


CHANGES: Final = frozenset(
    {
        "guard.reserve_and_move",
        "email_security.move_messages",
        "email_security.release_messages",
        "email_security.reclassify_message",
        "email_security.create_policy",
        "email_security.claim_policy",
    }
)
"""The activities by which a case changes something."""
_ResultOrNone: Any = ChangeResult | None
"""A reclassification has no result."""
_SEARCH: Final = "email_security.search_messages"
_MAYBE = {ErrorType.UNKNOWN_OUTCOME.value, ErrorType.UNREADABLE_RESPONSE.value}
_STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
_SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
_CHILD = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
_FAILED = EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED
_TIMED_OUT = EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
_CANCELED = EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED


@dataclass(frozen=True)
class CaseRecord:
    """What a history tells of a case.

    `is_in_flight` says that a request has no result in the history: if the case is over, the
    request may still take effect for a while.
    """

    basis: UndoBasis
    targets: Mapping[str, Target]
    is_in_flight: bool


async def read_case_history(client: Client, case: str, run: str) -> CaseRecord:
    """Read one run of a case.

    Raises:
        HistoryUnreadable: it is gone, or written with another key, or by another release.

    """
    reader = _Reader(client, case)
    try:
        handle = client.get_workflow_handle(case, run_id=run)
        async for event in handle.fetch_history_events():
            await reader.take(event)
        return reader.record()
    except RPCError:
        raise
    except Exception as error:
        # Another key, another release, a damaged payload: each has its own error.
        why = f"the history of {case} cannot be read: {type(error).__name__}"
        raise HistoryUnreadable(why) from error


@dataclass(frozen=True)
class _Attempt:
    """One activity that may have changed something, and the positions of the actions."""

    request: ChangeRequest
    indexes: tuple[int, ...]
    at: datetime


class _Reader:
    """Collects what the events of one run say."""

    def __init__(self, client: Client, case: str) -> None:
        context = WorkflowSerializationContext(client.namespace, case)
        self._converter = client.data_converter.with_context(context)
        self._case = case
        self._start: CaseStart | None = None
        self._uid = ""
        self._targets: dict[str, Target] = {}
        self._scheduled: dict[int, str] = {}
        self._open: dict[int, _Attempt] = {}
        self._outcomes: dict[tuple[int, str], tuple[str, datetime]] = {}
        self._notifications = 0

    async def take(self, event: HistoryEvent) -> None:
        """Take one event."""
        match event.event_type:
            # A bare name in a pattern would capture instead of compare, hence the guards.
            case t if t == _STARTED:
                await self._begin(event)
            case t if t == _SIGNALED:
                await self._join(event)
            case t if t == _CHILD:
                child = event.start_child_workflow_execution_initiated_event_attributes
                self._notifications += child.workflow_type.name == names.NOTIFICATION
            case t if t == _SCHEDULED:
                await self._schedule(event)
            case t if t == _COMPLETED:
                completed = event.activity_task_completed_event_attributes
                await self._complete(completed.scheduled_event_id, completed.result, event)
            case t if t == _FAILED:
                failed = event.activity_task_failed_event_attributes
                cause = failed.failure.application_failure_info.type
                self._fail(failed.scheduled_event_id, event, is_maybe=cause in _MAYBE)
            case t if t == _TIMED_OUT:
                timed_out = event.activity_task_timed_out_event_attributes
                self._fail(timed_out.scheduled_event_id, event, is_maybe=True)
            case t if t == _CANCELED:
                canceled = event.activity_task_canceled_event_attributes
                # A task that no worker had taken has sent nothing.
                was_started = bool(canceled.started_event_id)
                self._fail(canceled.scheduled_event_id, event, is_maybe=was_started)

    def record(self) -> CaseRecord:
        """Return what the events said."""
        if self._start is None:
            raise ValueError("the history has no start")

        before = self._start.snapshot
        basis = (
            UndoBasis(case=self._case, uid=self._uid, rule=self._start.plan.rule)
            if before is None
            else UndoBasis.of(self._start.plan, before)
        )
        changes = without_returned(self._start.plan, (*basis.changes, *self._changes()))
        subjects = {subject for change in changes for subject in change.subjects}
        targets = {**basis.targets, **self._targets}

        return CaseRecord(
            basis=basis.model_copy(
                update={
                    "case": self._start.plan.case_id,
                    "uid": self._uid,
                    "campaign": basis.campaign or self._campaign,
                    "version": self._start.plan.version,
                    "actions": self._start.plan.all_actions,
                    "changes": tuple(changes),
                    "targets": {
                        id_: one.without_texts for id_, one in targets.items() if id_ in subjects
                    },
                    "notifications": basis.notifications + self._notifications,
                }
            ),
            targets=self._targets,
            is_in_flight=bool(self._open),
        )

    @property
    def _campaign(self) -> str:
        """The campaign of a part; the first one does not know before it is full that it has any."""
        campaign = self._start.campaign if self._start else None
        return campaign.id if campaign is not None else ""

    def _changes(self) -> Iterator[Change]:
        together: dict[tuple[int, datetime], list[str]] = {}
        given_back = len(self._start.plan.actions) + 1 if self._start else None
        for (index, subject), (outcome, at) in self._outcomes.items():
            # What may not have been given back is still there to undo.
            if outcome in TOOK_EFFECT and (index != given_back or outcome == MOVED):
                together.setdefault((index, at), []).append(subject)

        for (index, at), subjects in together.items():
            yield Change(index=index, at=at, subjects=tuple(subjects))

        # Without a result a request may still take effect, so undo covers it.
        for attempt in self._open.values():
            for index in attempt.indexes:
                yield Change(index=index, subjects=attempt.request.subjects)

    async def _begin(self, event: HistoryEvent) -> None:
        started = event.workflow_execution_started_event_attributes
        self._start = await self._decode(started.input, CaseStart)
        self._uid = f"{self._case}/{started.first_execution_run_id}"
        if self._start.snapshot is not None:
            self._targets |= self._start.snapshot.all_targets

    async def _join(self, event: HistoryEvent) -> None:
        signal = event.workflow_execution_signaled_event_attributes
        if signal.signal_name != names.MATCHED:
            return

        matches = await self._decode(signal.input, list[Any])
        for raw in matches:
            with suppress(ValidationError):  # the case has rejected it too
                for target in Match.model_validate(raw).targets:
                    self._targets.setdefault(target.id, target)

    async def _schedule(self, event: HistoryEvent) -> None:
        scheduled = event.activity_task_scheduled_event_attributes
        name = scheduled.activity_type.name
        self._scheduled[event.event_id] = name
        if name not in CHANGES or self._start is None:
            return

        request = await self._decode(scheduled.input, ChangeRequest)
        self._targets |= {target.id: target for target in request.all_targets}
        indexes = tuple(_indexes_of(request, self._start.plan))
        self._open[event.event_id] = _Attempt(request, indexes, _time_of(event))

    async def _complete(self, number: int, result: Payloads, event: HistoryEvent) -> None:
        if self._scheduled.get(number) == _SEARCH:
            found = await self._decode(result, ChangeRequest)
            self._targets |= {target.id: target for target in found.targets}

        if (attempt := self._open.pop(number, None)) is None:
            return

        answer = await self._decode(result, _ResultOrNone)
        self._note(attempt, answer or ChangeResult(), event)

    def _fail(self, number: int, event: HistoryEvent, *, is_maybe: bool) -> None:
        attempt = self._open.pop(number, None)
        if attempt is not None and is_maybe:
            # No outcomes: every subject counts as unknown.
            self._note(attempt, ChangeResult(outcomes={}), event)

    def _note(self, attempt: _Attempt, answer: ChangeResult, event: HistoryEvent) -> None:
        for index in attempt.indexes:
            for subject in attempt.request.subjects:
                outcome = answer.outcome(subject)
                self._outcomes[index, subject] = outcome, _time_of(event)

    async def _decode(self, payloads: Payloads, kind: type[T]) -> T:
        (value, *_) = await self._converter.decode(payloads.payloads, [kind])
        decoded: T = value
        return decoded


def _indexes_of(request: ChangeRequest, plan: CasePlan) -> Iterator[int]:
    """Yield the positions of the actions that a request counts for."""
    while_held = len(plan.actions)
    is_while_held = request.authority is not None and request.authority.while_held
    # Equal actions of one rule ask for the same request: it counts for each of them.
    for index, action in enumerate(plan.all_actions):
        if action == request.action and (index == while_held) == is_while_held:
            yield index


def _time_of(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)
