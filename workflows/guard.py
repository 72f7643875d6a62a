"""The guard of the account: every containment asks it first.

Its decisions are those of `clawback.guard`.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.guard import GuardActivities
    from clawback.cases.announcements import Announcement
    from clawback.guard import (
        Demotion,
        Guard,
        GuardMemo,
        GuardSnapshot,
        Loss,
        Past,
        Refund,
        ReservationBatch,
        ReservationResult,
        Stop,
        UndoCharge,
    )
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.identity import Actor
    from clawback.model.orders import SignedOrder, Verb
    from clawback.model.record_ids import RecordIds
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.options import GUARD_TELLS, READ_PAST
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order
    from workflows.steps.renewal import is_old_run


_OURSELVES = "clawback"
_LONGEST_RULE = 80


@workflow.defn(name=names.GUARD, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class GuardWorkflow:
    """Budgets, surge detection, demoted rules and the kill switch of the account.

    Id: `guard`; one, for ever. Its memo says whether the kill switch is on, so that workers can
    read that from the server without asking any workflow. A run that follows a lost one, or that
    somebody reset, first reads what the lost run knew; until then it reserves nothing.
    """

    @workflow.init
    def __init__(self, snapshot: GuardSnapshot) -> None:
        info = workflow.info()
        self._guard = Guard(snapshot)
        self._unwritten: list[AuditRecord] = []
        self._record_ids = RecordIds("guard", info.run_id)
        # A reset starts a run with another id that replays the events of the first one.
        self._was_reset = info.run_id != info.original_execution_run_id
        self._recovered_run: str | None = None
        self._is_cancelled = False
        self._told_at = workflow.now()

    @workflow.run
    async def run(self, snapshot: GuardSnapshot) -> None:
        """Read a lost past and write audit records; everything else happens in the handlers."""
        while True:
            try:
                await self._continue()
            except (asyncio.CancelledError, ActivityError) as error:
                # An eviction cancels too, and has no reason. A run is cancelled at most once.
                is_request = workflow.cancellation_reason() is not None and not self._is_cancelled
                if not is_cancelled_exception(error) or not is_request:
                    raise
                self._is_cancelled = True
                self._stop(None, "somebody cancelled the guard")

    async def _continue(self) -> None:
        await self._wait()
        if self._guard.loss is not None:
            await self._recover(self._guard.loss)

        await self._write()
        await self._tell_waiting()
        if self._can_continue and not self._unwritten:
            self._guard.generation += 1
            # Part of the start, so that the new run never shows an older generation.
            memo = {names.GUARD_MEMO: self._memo()}
            workflow.continue_as_new(self._guard.snapshot(), memo=memo)

    async def _wait(self) -> None:
        """Wait for something to do; while cases wait for a budget, at most for a minute."""

        def has_work() -> bool:
            return bool(self._unwritten) or self._guard.loss is not None or self._can_continue

        if not self._has_waiting():
            await workflow.wait_condition(lambda: has_work() or self._has_waiting())
            # The first one has just been refused, or its rule confirmed.
            self._told_at = workflow.now()
            return

        left = self._told_at + GUARD_TELLS - workflow.now()
        if left <= timedelta() or has_work():
            # A timed wait takes a timer even if its condition already holds.
            await workflow.wait_condition(lambda: True)
        else:
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    has_work, timeout=left, timeout_summary="held cases wait until they may go on"
                )

    async def _tell_waiting(self) -> None:
        """Tell the cases that may go on by now; one that is gone needs no word."""
        if not self._has_waiting() or workflow.now() < self._told_at + GUARD_TELLS:
            return
        self._told_at = workflow.now()
        await asyncio.gather(*map(_tell, self._guard.take_due(self._told_at)))

    @workflow.update(name=names.RESERVE)
    def reserve(self, batch: ReservationBatch) -> dict[str, ReservationResult]:
        """Decide several reservations, one after the other; return the results by their ids."""
        return {
            one.id: self._guard.reserve(one, batch.budgets, workflow.now())
            for one in batch.reservations
        }

    @workflow.update(name=names.COUNT_UNDO)
    def count_undo(self, charge: UndoCharge) -> list[str]:
        """Count an undo, unless a second person must agree first: then return why."""
        return list(self._guard.count_undo(charge, workflow.now()))

    @workflow.signal(name=names.REFUNDED)
    def refunded(self, refund: Refund) -> None:
        """Give back what an action did not spend."""
        self._guard.refund(refund)

    @workflow.update(name=names.STOP)
    async def stop(self, signed: SignedOrder) -> Stop:
        """Turn the kill switch on; return who turned it on first, and when."""
        order = await take_order(signed, Verb.STOP, self._guard.orders)
        return self._stop(order.actor, order.reason)

    @workflow.update(name=names.RESUME)
    async def resume(self, signed: SignedOrder) -> None:
        """Turn the kill switch off, once a lost past is read."""
        order = await take_order(signed, Verb.RESUME, self._guard.orders)
        await workflow.wait_condition(lambda: not self._is_recovering)
        self._guard.resume()
        self._show()
        self._note(RecordKind.RESUMED, order.actor, order.reason)

    @workflow.signal(name=names.WORK_UNDONE)
    def work_undone(self, rule: str, demotion: Demotion) -> None:
        """Demote a rule whose work was undone: from now on its cases are held."""
        if rule not in self._guard.demoted:
            self._note(RecordKind.RULE_DEMOTED, demotion.actor, demotion.reason, rule)
        self._guard.demote(rule, demotion)
        self._show()

    @workflow.update(name=names.CONFIRM)
    async def confirm(self, signed: SignedOrder) -> None:
        """Let a demoted rule act without approval again; the order names the rule."""
        order = await take_order(signed, Verb.CONFIRM_RULE, self._guard.orders)
        self._require_demoted(order.content)
        self._guard.confirm(order.content)
        self._show()
        self._note(RecordKind.RULE_CONFIRMED, order.actor, order.reason, rule=order.content)

    @workflow.signal(name=names.GUARD_LOST)
    def guard_lost(self, loss: Loss) -> None:
        """Stop, and read the past: this run was reset, or its database is an older one.

        Several workers notice; those that know nothing newer than this run have been heard.
        """
        if self._guard.loss is None and loss.generation >= self._guard.generation:
            self._guard.lose(loss)
            self._show()

    @reserve.validator
    def _validate_reserve(self, batch: ReservationBatch) -> None:
        self._require_past()

    @count_undo.validator
    def _validate_count_undo(self, charge: UndoCharge) -> None:
        self._require_past()

    @stop.validator
    def _validate_stop(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.STOP, self._guard.orders)

    @resume.validator
    def _validate_resume(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.RESUME, self._guard.orders)
        if self._guard.stopped is None and not self._is_recovering:
            raise ApplicationError("containment is not stopped")

    @confirm.validator
    def _validate_confirm(self, signed: SignedOrder) -> None:
        self._require_demoted(require_order(signed, Verb.CONFIRM_RULE, self._guard.orders).content)

    @workflow.query(name=names.STATUS)
    def status(self) -> GuardSnapshot:
        """The whole state of the guard."""
        return self._guard.snapshot()

    def _has_waiting(self) -> bool:
        return self._guard.has_waiting(workflow.now())

    def _require_past(self) -> None:
        if self._is_recovering:
            raise ApplicationError("the guard was lost and is reading what it knew")

    def _require_demoted(self, rule: str) -> None:
        if not self._guard.needs_confirmation(rule, workflow.now()):
            demoted = ", ".join(sorted(self._guard.demoted)) or "none"
            raise ApplicationError(
                f"rule {bounded(rule, _LONGEST_RULE)!r} is not demoted; demoted rules: {demoted}"
            )

    @property
    def _is_recovering(self) -> bool:
        is_unnoticed_reset = self._was_reset and self._recovered_run is None
        return self._guard.loss is not None or is_unnoticed_reset

    async def _recover(self, loss: Loss) -> None:
        past = Past()
        if loss.run is not None:
            try:
                past = await workflow.execute_activity_method(
                    GuardActivities.read_past, loss, **READ_PAST
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise

        # Even if nothing could be read: then every budget counts as spent.
        self._guard.recover(past, workflow.now())
        self._recovered_run = workflow.info().run_id
        self._show()
        known = "all that it knew was read" if past.is_complete else "not all it knew is known"
        self._note(RecordKind.GUARD_LOST, None, f"{loss.reason}: {known}")
        self._note(RecordKind.STOPPED, None, "the guard was lost")

    def _stop(self, actor: Actor | None, reason: str) -> Stop:
        """Stop for somebody, or by ourselves (None)."""
        by = actor.label if actor else _OURSELVES
        stop = Stop(by=by, at=workflow.now(), reason=bounded(reason))
        if self._guard.stopped is None:
            self._guard.stop(stop)
            self._note(RecordKind.STOPPED, actor, reason)
        self._show()
        return self._guard.stopped or stop

    def _show(self) -> None:
        workflow.upsert_memo({names.GUARD_MEMO: self._memo()})

    def _memo(self) -> GuardMemo:
        return GuardMemo(
            stopped=self._guard.stopped is not None,
            generation=self._guard.generation,
            decisions=self._guard.decisions,
            binding=self._guard.binding,
            recovered_run=self._recovered_run,
            demoted=self._guard.most_demoted,
        )

    def _note(
        self, kind: RecordKind, actor: Actor | None, detail: str = "", rule: str | None = None
    ) -> None:
        record = AuditRecord(
            id="",
            at=workflow.now(),
            kind=kind,
            rule=rule,
            detail=bounded(detail) or None,
            **(actor.audit_fields if actor else {}),
        )
        self._unwritten.append(self._record_ids.identify(record))

    async def _write(self) -> None:
        records = tuple(self._unwritten)
        await write_records(records)
        for record in records:
            await _announce(record)
        # Handlers may have added records meanwhile; those stay for the next write.
        del self._unwritten[: len(records)]

    @property
    def _can_continue(self) -> bool:
        """Whether the history is long or old, and nothing prevents a new run.

        The loop never waits for handlers: `resume` itself waits for the next pass of it.
        """
        is_idle = workflow.all_handlers_finished() and not self._is_recovering
        is_due = workflow.info().is_continue_as_new_suggested() or is_old_run()
        return is_idle and is_due


async def _announce(record: AuditRecord) -> None:
    """Start what tells people of a record, if it is about the kill switch or a demoted rule.

    On the queue of all other workflows: the guard waits for nothing but the start.
    """
    if (announcement := Announcement.of(record)) is None:
        return
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            names.ANNOUNCEMENT,
            announcement,
            id=names.announcement_id(announcement.id),
            task_queue=names.WORKFLOW_QUEUE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"tell people: {announcement.occasion}",
        )


async def _tell(case: str) -> None:
    with suppress(FailureError):
        await workflow.get_external_workflow_handle(case).signal(names.BUDGET_FREED)
