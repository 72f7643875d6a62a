"""Every call that the command line, the console and ingest make on workflows.

Typed, by name, nothing else.

Errors: `NoSuchWorkflow` where there is none; a refusal of an update comes as `UpdateRefused` with
the workflow's own words; `Unheard` where no worker takes it.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle, WorkflowUpdateStage
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases import CasePlan, CaseSnapshot, CaseStart, CaseState, CaseTiming, Match, Proposal
from clawback.model.events import EventKind
from clawback.model.polling import PollerStart, PollerStatus
from clawback.temporal import names
from clawback.temporal.case_lists import CaseFilter, CaseLine, case_line
from clawback.temporal.updates import PATIENCE, UpdateRefused, execute_update

T = TypeVar("T")

SIGNAL_BATCH = 200
"""Matches in one signal: about 60 KiB, far below what a payload may weigh."""


class NoSuchWorkflow(LookupError):
    """No case or poller of that id is known to the server."""


class Gateway:
    """Typed access to cases and pollers over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    # ---- cases

    async def signal_case(self, plan: CasePlan, matches: Sequence[Match], pace: CaseTiming) -> None:
        """Tell a case of events that matched, starting it if it is not open.

        Safe to repeat: the case drops what it has.
        """
        for first in range(0, len(matches), SIGNAL_BATCH):
            await self.client.start_workflow(
                names.CASE,
                CaseStart(plan=plan, pace=pace),
                id=plan.case_id,
                task_queue=names.WORKFLOW_QUEUE,
                start_signal=names.MATCHED,
                start_signal_args=[list(matches[first : first + SIGNAL_BATCH])],
                search_attributes=_case_attributes(plan),
                static_summary=f"{plan.title or plan.rule} ({plan.mode})",
            )

    async def count_cases(self, state: CaseState | None = None) -> int:
        """Count the open cases, or those in one state. The index may lag by a second."""
        query = f"WorkflowType = '{names.CASE}' AND ExecutionStatus = 'Running'"
        if state is not None:
            query += f" AND {names.STATE_ATTRIBUTE} = '{state}'"
        return (await self.client.count_workflows(query)).count

    async def list_cases(
        self, *, state: str | None = None, rule: str | None = None, limit: int = 100
    ) -> AsyncIterator[CaseLine]:
        """List cases, newest first, open and closed."""
        async for execution in self.client.list_workflows(
            CaseFilter(state=state, rule=rule).query, limit=limit
        ):
            yield case_line(execution)

    async def case(self, case_id: str) -> CaseStart:
        """Read the plan and the memory of a case, open or closed.

        Raises:
            NoSuchWorkflow: the server knows no such case.

        """
        return await self._asked(self.client.get_workflow_handle(case_id), names.STATUS, CaseStart)

    async def proposal(self, case_id: str) -> Proposal:
        """Read what an open case would do if it were approved now, and the digest that stands for exactly that.

        Raises:
            NoSuchWorkflow: the server knows no such case.

        """
        return await self._asked(self.client.get_workflow_handle(case_id), names.PROPOSAL, Proposal)

    async def approve(self, case_id: str, by: str, shown: str, reason: str = "") -> str:
        """Approve what a held case proposed when it had the digest `shown`.

        The answer is its new state.

        It stays `held` where another person must agree too.

        Raises:
            NoSuchWorkflow: there is no such open case.
            Refused: the case is not held, it has changed since, or this person has agreed already.

        """
        return await self._told(
            self.client.get_workflow_handle(case_id), names.APPROVE, [by, reason, shown], str
        )

    async def deny(self, case_id: str, by: str, reason: str = "") -> str:
        """Deny a held case, whatever it proposes; as `approve`."""
        return await self._told(
            self.client.get_workflow_handle(case_id), names.DENY, [by, reason], str
        )

    # ---- pollers

    async def start_poller(self, start: PollerStart) -> None:
        """Start the poller of a source unless it runs."""
        await self.client.start_workflow(
            names.POLLER,
            start,
            id=names.poller_id(start.source),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"polls {start.source}",
        )

    async def poller_status(self, source: EventKind) -> PollerStatus:
        """Read where a poller stands.

        Raises:
            NoSuchWorkflow: no poller of that source was ever started.

        """
        return await self._asked(self._poller(source), names.STATUS, PollerStatus)

    async def poll_now(self, source: EventKind) -> PollerStatus:
        """Poll at once and wait until a poll that started after this call has been read to its end."""
        return await self._told(
            self._poller(source), names.POLL_NOW, [], PollerStatus, patience=None
        )

    async def pause_poller(self, source: EventKind, reason: str) -> PollerStatus:
        """Stop polling a source until it is resumed."""
        return await self._told(self._poller(source), names.PAUSE, [reason], PollerStatus)

    async def resume_poller(self, source: EventKind) -> PollerStatus:
        """Go on polling."""
        return await self._told(self._poller(source), names.RESUME, [], PollerStatus)

    async def rewind_poller(self, source: EventKind, to: datetime) -> PollerStatus:
        """Read again from a moment on; what was dealt with is recognised."""
        return await self._told(self._poller(source), names.REWIND, [to], PollerStatus)

    # ---- marks

    async def mark_submission(self, mark: str) -> None:
        """Leave the mark of a reclassification, unless it stands.

        Raises `RPCError` where the server does not answer.
        """
        await self.client.start_workflow(
            names.OWN_SUBMISSION,
            id=names.own_submission_id(mark),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )

    async def submission_marked_at(self, mark: str) -> datetime | None:
        """Say since when a mark stands; None where there is none.

        Raises `RPCError` where the server does not answer.
        """
        try:
            return (
                await self.client.get_workflow_handle(names.own_submission_id(mark)).describe()
            ).start_time
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    # ---- inside

    def _poller(self, source: EventKind) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(names.poller_id(source))

    async def _asked(self, handle: WorkflowHandle[Any, Any], query: str, answer: type[T]) -> T:
        try:
            result: T = await handle.query(query, result_type=answer)
        except RPCError as error:
            raise _no_such(handle, error) from error
        return result

    async def _told(
        self,
        handle: WorkflowHandle[Any, Any],
        update: str,
        args: list[Any],
        answer: type[T],
        patience: timedelta | None = PATIENCE,
    ) -> T:
        sent = handle.start_update(
            update, args=args, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=answer
        )
        try:
            return await execute_update(sent, patience)
        except RPCError as error:
            raise await self._why_not(handle, error) from error

    async def _why_not(self, handle: WorkflowHandle[Any, Any], error: RPCError) -> Exception:
        """Tell what is over (`UpdateRefused`) from what never was (`NoSuchWorkflow`).

        Neither takes an update.
        """
        if error.status is not RPCStatusCode.NOT_FOUND:
            return error
        try:
            over = (await handle.describe()).close_time
        except RPCError as unknown:
            return _no_such(handle, unknown)
        return UpdateRefused(f"{handle.id} is over since {over:%Y-%m-%d %H:%M:%S} UTC")


def _no_such(handle: WorkflowHandle[Any, Any], error: RPCError) -> Exception:
    return (
        NoSuchWorkflow(f"there is no {handle.id}")
        if error.status is RPCStatusCode.NOT_FOUND
        else error
    )


def _case_attributes(plan: CasePlan) -> TypedSearchAttributes:
    state = CaseState.WATCHING if plan.watch else CaseState.RESPONDING
    values = {
        names.RULE_ATTRIBUTE: plan.rule,
        names.STATE_ATTRIBUTE: state.value,
        names.MODE_ATTRIBUTE: plan.mode.value,
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(key), value)
            for key, value in values.items()
        ]
    )


__all__ = ["CaseLine", "CaseSnapshot", "Gateway", "NoSuchWorkflow", "UpdateRefused"]
