"""The guard of the account: one workflow that every containment asks first.

Its decisions are those of `clawback.guard`.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from clawback.guard import (
        Demotion,
        Guard,
        GuardSnapshot,
        Refund,
        ReservationBatch,
        ReservationResult,
        Stop,
    )
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.options import RECORD


@workflow.defn(name=names.GUARD)
class GuardWorkflow:
    """The guard.

    Id: `guard`; one, for ever. Its memo says whether the kill switch is on, for whoever has no time
    to ask.
    """

    @workflow.init
    def __init__(self, memory: GuardSnapshot) -> None:
        self._guard = Guard(memory)
        self._unwritten: list[AuditRecord] = []

    @workflow.run
    async def run(self, memory: GuardSnapshot) -> None:  # noqa: ARG002 - taken by __init__
        """Write down what was decided; everything else happens in the handlers."""
        while True:
            await workflow.wait_condition(lambda: bool(self._unwritten) or self._is_long())
            await self._write()
            if self._is_long() and not self._unwritten and workflow.all_handlers_finished():
                memo = {names.STOPPED_MEMO: self._guard.stopped is not None}
                workflow.continue_as_new(self._guard.memory(), memo=memo)

    @workflow.update(name=names.RESERVE)
    def reserve(self, reservation: ReservationBatch) -> dict[str, ReservationResult]:
        """ReservationResult asks, one after the other; the answers by their ids."""
        return {
            ask.id: self._guard.reserve(ask, reservation.budgets, workflow.now())
            for ask in reservation.asks
        }

    @workflow.signal(name=names.REFUNDED)
    def not_spent(self, refund: Refund) -> None:
        """Take back what was granted and not spent."""
        self._guard.refund(refund)

    @workflow.update(name=names.STOP)
    def stop(self, by: str, reason: str) -> Stop:
        """Let nobody act; the answer says who stopped first."""
        if self._guard.stopped is None:
            self._guard.stop(Stop(by=bounded(by, 120), at=workflow.now(), reason=bounded(reason)))
            self._note(RecordKind.STOPPED, by, reason)
        workflow.upsert_memo({names.STOPPED_MEMO: True})
        return self._guard.stopped or Stop(by=by, at=workflow.now(), reason=reason)

    @workflow.update(name=names.RESUME)
    def resume(self, by: str) -> None:
        """Let everybody act again."""
        self._guard.resume()
        workflow.upsert_memo({names.STOPPED_MEMO: False})
        self._note(RecordKind.RESUMED, by)

    @workflow.signal(name=names.WORK_UNDONE)
    def work_undone(self, rule: str, demotion: Demotion) -> None:
        """Hold every case of a rule from now on: what it did was undone."""
        if rule not in self._guard.demoted:
            self._note(RecordKind.RULE_DEMOTED, demotion.by, demotion.reason, rule)
        self._guard.demote(rule, demotion)

    @workflow.update(name=names.CONFIRM)
    def confirm(self, rule: str, by: str) -> None:
        """Let a rule act again whose work was undone."""
        self._guard.confirm(rule)
        self._note(RecordKind.RULE_CONFIRMED, by, rule=rule)

    @stop.validator
    def _stoppable(self, by: str, reason: str) -> None:  # noqa: ARG002 - a validator has the update's signature
        _must_be_somebody(by)

    @resume.validator
    def _resumable(self, by: str) -> None:
        _must_be_somebody(by)
        if self._guard.stopped is None:
            raise ApplicationError("containment is not stopped")

    @confirm.validator
    def _confirmable(self, rule: str, by: str) -> None:
        _must_be_somebody(by)
        if rule not in self._guard.demoted:
            held = ", ".join(sorted(self._guard.demoted)) or "none"
            raise ApplicationError(
                f"nothing of rule {bounded(rule, 80)!r} was undone; rules that wait to be confirmed: {held}"
            )

    @workflow.query(name=names.STATUS)
    def status(self) -> GuardSnapshot:
        """All that the guard knows."""
        return self._guard.memory()

    def _note(self, kind: RecordKind, by: str, detail: str = "", rule: str | None = None) -> None:
        record = AuditRecord(
            id=f"guard/{workflow.uuid4()}",
            at=workflow.now(),
            kind=kind,
            rule=rule,
            actor=bounded(by, 120),
            detail=bounded(detail) or None,
        )
        self._unwritten.append(record)

    async def _write(self) -> None:
        records: Sequence[AuditRecord] = tuple(self._unwritten)
        if records:
            await workflow.execute_local_activity_method(
                AuditActivities.append, WriteRecords(records=tuple(records)), **RECORD
            )
            del self._unwritten[: len(records)]

    def _is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()


def _must_be_somebody(by: str) -> None:
    if not by.strip():
        raise ApplicationError("say who you are: --by NAME")
