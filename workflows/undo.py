"""Undoes many cases: one child workflow per case, if a second person agrees where one must."""

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.undo import AssessUndo, UndoActivities
    from clawback.actions import Occasion
    from clawback.cases.state import Decision, NotificationStep
    from clawback.cases.undo_judgement import UndoAgreement, UndoAssessment, UndoHold
    from clawback.cases.undo_notifications import notify_hold, notify_result
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.identity import OURSELVES, Actor
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from clawback.model.record_ids import RecordIds
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from clawback.temporal.undo_gateway import (
        CaseRun,
        CaseUndoRequest,
        UndoProgress,
        UndoRequest,
        UndoSummary,
    )
    from workflows.case_undo import CaseUndoWorkflow
    from workflows.options import ASSESS_UNDO
    from workflows.steps.audit import write_records
    from workflows.steps.notifying import start_notification
    from workflows.steps.orders import require_order, take_order
    from workflows.validators import require_no_problem

_CASES_AT_ONCE = 200
"""Many, because cases that are undone at the same moment share their requests."""
_SHOWN_RUNNING = 20
"""Undos of cases that whoever looks is told of, to ask them how far they are."""
_PEOPLE = 2
"""How many agree to what is held: whoever asked for it, and somebody else."""


@workflow.defn(name=names.UNDO)
class UndoWorkflow:
    """Undoes the cases of one request, `_CASES_AT_ONCE` at a time.

    Id: `undo/<number>/<page>`. The result sums up what was undone. What is large, or returns
    malicious mail, first waits until a second person agrees.
    """

    @workflow.init
    def __init__(self, request: UndoRequest) -> None:
        self._scope = request.scope
        self._left = list(request.cases)
        self._done = request.done
        self._total = request.total or len(request.cases)
        self._changes = request.changes
        self._running: dict[str, None] = {}
        scope = request.scope
        self._agreement = UndoAgreement(scope.actor, scope.reason, request.timing)
        self._orders = OrderLog()
        self._sent = 0
        self._told_after = request.told_after
        info = workflow.info()
        self._record_ids = RecordIds(info.workflow_id, info.run_id)

    @workflow.run
    async def run(self, request: UndoRequest) -> UndoSummary:
        """Start an undo for each case, wait for them, add up their results."""
        # A run that goes on after another one was judged by the first.
        if workflow.info().continued_run_id is None:
            order = await _verify(request)
            if not await self._may_begin(request, order.actor):
                return UndoSummary(refused=len(self._left))

        while self._left:
            batch, self._left = self._left[:_CASES_AT_ONCE], self._left[_CASES_AT_ONCE:]
            await asyncio.gather(*map(self._undo_and_count, batch))

            if self._left and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(
                    request.model_copy(
                        update={
                            "cases": tuple(self._left),
                            "done": self._done,
                            "total": self._total,
                            "changes": self._changes,
                            "told_after": self._told_after,
                        }
                    )
                )

        await self._tell_result(request)
        return self._done

    @workflow.query(name=names.STATUS)
    def status(self) -> UndoProgress:
        """How many cases are left, what was undone so far, and whether people must agree first."""
        return UndoProgress(
            total=self._total,
            left=len(self._left),
            undone=self._done,
            changes=self._changes,
            hold=self._agreement.pending,
            running=tuple(islice(self._running, _SHOWN_RUNNING)),
        )

    @workflow.signal(name=names.NOTIFICATION_ENDED)
    def notification_ended(self, uid: str, number: int, outcome: str) -> None:
        """Take the outcome of a notification: its own workflow has written it to the audit."""

    @workflow.update(name=names.APPROVE)
    async def approve(self, signed: SignedOrder) -> None:
        """Agree to exactly what was shown, by its digest."""
        order = await take_order(signed, Verb.APPROVE, self._orders, _PEOPLE)
        require_no_problem(self._agreement.approval_problem(order.actor, order.content))
        self._decide(order)

    @workflow.update(name=names.DENY)
    async def deny(self, signed: SignedOrder) -> None:
        """End the undo before it begins."""
        order = await take_order(signed, Verb.DENY, self._orders)
        require_no_problem(self._agreement.decision_problem())
        self._decide(order)

    @approve.validator
    def _validate_approve(self, signed: SignedOrder) -> None:
        order = require_order(signed, Verb.APPROVE, self._orders)
        require_no_problem(self._agreement.approval_problem(order.actor, order.content))

    @deny.validator
    def _validate_deny(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.DENY, self._orders)
        require_no_problem(self._agreement.decision_problem())

    def _decide(self, order: Order) -> None:
        self._agreement.decide(Decision.of(order, workflow.now()))

    async def _may_begin(self, request: UndoRequest, actor: Actor) -> bool:
        """Wait until the undo needs nobody's consent, or has it; False if it was refused.

        It is judged again after an approval: a case may have gone on meanwhile.
        """
        agreement = self._agreement
        agreement.actor = actor
        while agreement.needs_people(await self._assess(request), workflow.now()):
            hold = agreement.hold
            if hold is None:
                break
            await self._write(_record_hold(hold))
            await self._wait_for_decision(hold)
            await self._write(_record_end(agreement.decision))
            workflow.upsert_memo({names.HOLD_MEMO: None})
            if agreement.decision is None or not agreement.decision.approved:
                agreement.hold = None
                await workflow.wait_condition(workflow.all_handlers_finished)
                return False
        return True

    async def _write(self, record: AuditRecord) -> None:
        await write_records((self._record_ids.identify(record),))

    async def _assess(self, request: UndoRequest) -> UndoAssessment:
        asked = AssessUndo(
            request=request,
            actor=self._agreement.actor,
            approved=self._agreement.approved_digest,
        )
        assessment: UndoAssessment = await workflow.execute_activity_method(
            UndoActivities.assess_cases, asked, **ASSESS_UNDO
        )
        self._told_after = assessment.told_after
        self._changes = assessment.changes
        return assessment

    async def _wait_for_decision(self, hold: UndoHold) -> None:
        """Tell people, remind them once, and wait until one of them decides or it is too late."""
        workflow.upsert_memo({names.HOLD_MEMO: hold})
        await self._notify(hold, Occasion.HELD)
        if (warns_at := self._agreement.warns_at) is not None:
            await self._wait_until(warns_at)
            if self._agreement.decision is None:
                await self._write(_record_warning(hold))
                await self._notify(hold, Occasion.HELD)

        await self._wait_until(hold.expires_at)
        decision = self._agreement.decision
        if decision is None:
            await self._notify(hold, Occasion.EXPIRED)
        elif not decision.approved:
            await self._notify(hold, Occasion.DENIED)

    async def _wait_until(self, end: datetime) -> None:
        """Wait for a decision, at most until a time."""
        left = end - workflow.now()
        # A timed wait takes a timer even if its condition already holds.
        if self._agreement.decision is not None or left <= timedelta():
            return
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._agreement.decision is not None,
                timeout=left,
                timeout_summary="held until then",
            )

    async def _notify(self, hold: UndoHold, occasion: Occasion) -> None:
        """Start a notification for each channel. Of a large undo, its first page tells of it."""
        info = workflow.info()
        if info.workflow_id.rpartition("/")[2] != "1":
            return
        steps = notify_hold(
            info.workflow_id,
            info.run_id,
            hold,
            occasion,
            workflow.now(),
            sent=self._sent,
            decision=self._agreement.decision,
        )
        await self._start_notifications(steps)

    async def _tell_result(self, request: UndoRequest) -> None:
        """Tell what was undone, unless that is nothing. Each page of a large undo tells of itself.

        An undo is told once, however many cases it has.
        """
        info = workflow.info()
        outcomes = {
            name: count
            for name in ("done", "gone", "failed")
            if (count := getattr(self._done, name))
        }
        if not outcomes:
            return
        steps = notify_result(
            info.workflow_id,
            info.run_id,
            self._scope,
            cases=self._done.cases,
            outcomes=outcomes,
            pages=request.pages,
            now=workflow.now(),
            channels=self._told_after,
            sent=self._sent,
        )
        await self._start_notifications(steps)

    async def _start_notifications(self, steps: Iterable[NotificationStep]) -> None:
        for step in steps:
            self._sent += 1
            await start_notification(step)

    async def _undo_and_count(self, case: CaseRun) -> None:
        request = CaseUndoRequest(case=case, scope=self._scope)
        id_ = _workflow_id(request)
        self._running[id_] = None
        try:
            summary = await self._undo(request, id_)
        finally:
            del self._running[id_]
        self._done = self._done.plus(summary)

    async def _undo(self, request: CaseUndoRequest, id_: str) -> UndoSummary:
        try:
            summary: UndoSummary = await workflow.execute_child_workflow(
                CaseUndoWorkflow.run,
                request,
                id=id_,
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
        except WorkflowAlreadyStartedError:
            return UndoSummary(under_way=1)
        except FailureError as error:
            extra = {"case": request.case.case, "error_type": type(error.cause).__name__}
            workflow.logger.error("undo.failed", extra=extra)
            return UndoSummary(cases=1, failed=1)
        return summary


async def _verify(request: UndoRequest) -> Order:
    """Return the order to undo; fail unless whoever gave it may, and has signed exactly this.

    The order arrived when this workflow was started, however long no worker took it up.
    """
    if request.order is None:
        raise ApplicationError("nobody has ordered this undo", non_retryable=True)

    arrived = workflow.info().start_time
    order = require_order(request.order, Verb.UNDO, OrderLog(), arrived)
    if order.content != request.digest:
        raise ApplicationError("the order is to undo something else", non_retryable=True)
    return await take_order(request.order, Verb.UNDO, OrderLog(), now=arrived)


def _record_hold(hold: UndoHold) -> AuditRecord:
    return AuditRecord(
        id="",
        at=hold.held_at,
        kind=RecordKind.HELD,
        case=workflow.info().workflow_id,
        detail="; ".join((*hold.assessment.reasons, bounded(hold.reason))),
        **hold.actor.audit_fields,
    )


def _record_warning(hold: UndoHold) -> AuditRecord:
    return AuditRecord(
        id="",
        at=workflow.now(),
        kind=RecordKind.EXPIRY_WARNED,
        case=workflow.info().workflow_id,
        detail=f"ends at {hold.expires_at:%FT%TZ} unless somebody decides",
        **OURSELVES.audit_fields,
    )


def _record_end(decision: Decision | None) -> AuditRecord:
    """Record what people said about an undo, or that nobody said anything."""
    kind, actor = RecordKind.EXPIRED, OURSELVES
    if decision is not None:
        kind = RecordKind.APPROVED if decision.approved else RecordKind.DENIED
        actor = decision.actor
    return AuditRecord(
        id="",
        at=workflow.now(),
        kind=kind,
        case=workflow.info().workflow_id,
        detail=bounded(decision.reason) if decision else None,
        **actor.audit_fields,
    )


def _workflow_id(request: CaseUndoRequest) -> str:
    """One undo per case; the undo of single messages has an id of its own."""
    case, messages, part = request.case, request.scope.messages, ""
    if messages is not None:
        digest = hashlib.sha256(" ".join(sorted(messages)).encode()).hexdigest()
        part = f"/{digest[:12]}"
    return names.case_undo_id(f"{case.case}/{case.first_run}{part}")
