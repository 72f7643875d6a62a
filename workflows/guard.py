"""The guard of the account: every containment asks it first.

Its decisions are those of `clawback.guard`.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
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
    from workflows.steps.audit import write_records
    from workflows.validators import require_actor


_LONGEST_ACTOR = 120
_LONGEST_RULE = 80


@workflow.defn(name=names.GUARD)
class GuardWorkflow:
    """Budgets, surge detection, demoted rules and the kill switch of the account.

    Id: `guard`; one, for ever. Its memo says whether the kill switch is on, so that workers can
    read that from the server without asking any workflow.
    """

    @workflow.init
    def __init__(self, snapshot: GuardSnapshot) -> None:
        self._guard = Guard(snapshot)
        self._unwritten: list[AuditRecord] = []

    @workflow.run
    async def run(self, snapshot: GuardSnapshot) -> None:  # noqa: ARG002 - taken by __init__
        """Write the audit records of decisions; everything else happens in the handlers."""
        while True:
            await workflow.wait_condition(lambda: bool(self._unwritten) or self._is_long())
            await self._write()
            if self._is_long() and not self._unwritten and workflow.all_handlers_finished():
                memo = {names.STOPPED_MEMO: self._guard.stopped is not None}
                workflow.continue_as_new(self._guard.snapshot(), memo=memo)

    @workflow.update(name=names.RESERVE)
    def reserve(self, batch: ReservationBatch) -> dict[str, ReservationResult]:
        """Decide several reservations, one after the other; return the results by their ids."""
        return {
            one.id: self._guard.reserve(one, batch.budgets, workflow.now())
            for one in batch.reservations
        }

    @workflow.signal(name=names.REFUNDED)
    def refunded(self, refund: Refund) -> None:
        """Give back what an action did not spend."""
        self._guard.refund(refund)

    @workflow.update(name=names.STOP)
    def stop(self, by: str, reason: str) -> Stop:
        """Turn the kill switch on; return who turned it on first, and when."""
        if self._guard.stopped is None:
            stop = Stop(by=bounded(by, _LONGEST_ACTOR), at=workflow.now(), reason=bounded(reason))
            self._guard.stop(stop)
            self._note(RecordKind.STOPPED, by, reason)
        workflow.upsert_memo({names.STOPPED_MEMO: True})
        return self._guard.stopped or Stop(by=by, at=workflow.now(), reason=reason)

    @workflow.update(name=names.RESUME)
    def resume(self, by: str) -> None:
        """Turn the kill switch off."""
        self._guard.resume()
        workflow.upsert_memo({names.STOPPED_MEMO: False})
        self._note(RecordKind.RESUMED, by)

    @workflow.signal(name=names.WORK_UNDONE)
    def work_undone(self, rule: str, demotion: Demotion) -> None:
        """Demote a rule whose work was undone: from now on its cases are held."""
        if rule not in self._guard.demoted:
            self._note(RecordKind.RULE_DEMOTED, demotion.by, demotion.reason, rule)
        self._guard.demote(rule, demotion)

    @workflow.update(name=names.CONFIRM)
    def confirm(self, rule: str, by: str) -> None:
        """Let a demoted rule act without approval again."""
        self._guard.confirm(rule)
        self._note(RecordKind.RULE_CONFIRMED, by, rule=rule)

    @stop.validator
    def _validate_stop(self, by: str, reason: str) -> None:  # noqa: ARG002 - a validator has the update's signature
        require_actor(by)

    @resume.validator
    def _validate_resume(self, by: str) -> None:
        require_actor(by)
        if self._guard.stopped is None:
            raise ApplicationError("containment is not stopped")

    @confirm.validator
    def _validate_confirm(self, rule: str, by: str) -> None:
        require_actor(by)
        if rule not in self._guard.demoted:
            demoted = ", ".join(sorted(self._guard.demoted)) or "none"
            raise ApplicationError(
                f"rule {bounded(rule, _LONGEST_RULE)!r} is not demoted; demoted rules: {demoted}"
            )

    @workflow.query(name=names.STATUS)
    def status(self) -> GuardSnapshot:
        """The whole state of the guard."""
        return self._guard.snapshot()

    def _note(self, kind: RecordKind, by: str, detail: str = "", rule: str | None = None) -> None:
        record = AuditRecord(
            id=f"guard/{workflow.uuid4()}",
            at=workflow.now(),
            kind=kind,
            rule=rule,
            actor=bounded(by, _LONGEST_ACTOR),
            detail=bounded(detail) or None,
        )
        self._unwritten.append(record)

    async def _write(self) -> None:
        records = tuple(self._unwritten)
        await write_records(records)
        del self._unwritten[: len(records)]

    def _is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()
