"""Undo: takes back what cases did, one workflow to a case, and one above them for all that was asked for at once."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.audit import AuditActivities, WriteRecords
    from activities.containment import MessageOutcomes
    from activities.policies import PolicyActivities, PolicyRequest
    from activities.undo import ReturnMessages, UndoActivities
    from clawback.actions import Correction, PolicyAction
    from clawback.actions.outcomes import UNKNOWN, failed
    from clawback.cases import BATCH
    from clawback.cases.undo_plan import UndoPlan
    from clawback.guard import Demotion
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.messages import Target
    from clawback.model.policies import EndedPolicy
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from clawback.temporal.error_types import PERMANENT
    from clawback.temporal.undo_gateway import (
        CaseUndoRequest,
        UndoProgress,
        UndoRequest,
        UndoSummary,
    )
    from workflows.options import RECORD, UNDO, UNDO_ONCE, VERIFY_UNDO
    from workflows.steps.attempts import Attempts
    from workflows.steps.messages import in_halves
    from workflows.steps.reclassify import reclassify

_AT_ONCE = 50
_RECORDS_AT_ONCE = 500


@workflow.defn(name=names.CASE_UNDO)
class CaseUndoWorkflow:
    """Undoes one case, or some of its messages.

    Id: `undo/<case>/<first run>`. Whatever happens in between, it goes on.
    """

    @workflow.run
    async def run(self, request: CaseUndoRequest) -> UndoSummary:
        """End the case, take back what it did, record it, and demote its rule."""
        if request.scope.ends_cases:
            await workflow.execute_activity_method(UndoActivities.end_case, request, **UNDO)
        work: UndoPlan = await workflow.execute_activity_method(
            UndoActivities.read_case, request, **UNDO
        )
        outcomes: list[tuple[str, str | None, str]] = [
            ("move", one, outcome)
            for one, outcome in (await self._return_all(work.messages)).items()
        ]
        outcomes += [
            (policy.name, policy.label, await self._remove(work.uid, policy))
            for policy in work.policies
        ]
        outcomes += [
            ("reclassify", one.target.id, await self._correct(one)) for one in work.corrections
        ]
        outcomes += [(action, None, failed("no_inverse")) for action in work.irreversible]
        await self._record(request, work, outcomes)
        undone = UndoSummary.of(outcome for _, _, outcome in outcomes)
        if undone.done:
            await self._demote(request, work.rule, undone.done)
        return undone

    async def _return_all(self, targets: Sequence[Target]) -> dict[str, str]:
        outcomes: dict[str, str] = {}
        for first in range(0, len(targets), BATCH):
            outcomes |= await self._return(targets[first : first + BATCH])
        return outcomes

    async def _return(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return messages in one request; where one that is refused spoils it, in halves."""
        try:
            returned: MessageOutcomes = await workflow.execute_activity_method(
                UndoActivities.return_messages, ReturnMessages(targets=tuple(targets)), **UNDO
            )
        except ActivityError as error:
            if (
                is_cancelled_exception(error)
                or not isinstance(error.cause, ApplicationError)
                or error.cause.type not in PERMANENT
            ):
                raise
            return await in_halves(self._return, targets, error.cause.type or "refused")
        return {target.id: returned.outcomes.get(target.id, UNKNOWN) for target in targets}

    async def _remove(self, uid: str, policy: PolicyAction) -> str:
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policies,
            PolicyRequest(action=policy, owner=_owner(uid)),
            **UNDO,
        )
        return ended.removal

    async def _correct(self, correction: Correction) -> str:
        return await reclassify(
            Attempts(options=UNDO_ONCE),
            UndoActivities.reclassify_message,
            correction.target,
            correction.disposition,
            VERIFY_UNDO,
        )

    async def _record(
        self,
        request: CaseUndoRequest,
        work: UndoPlan,
        outcomes: Sequence[tuple[str, str | None, str]],
    ) -> None:
        for records in _in_batches(tuple(_records(request, work, outcomes))):
            await workflow.execute_local_activity_method(
                AuditActivities.append, WriteRecords(records=records), **RECORD
            )

    async def _demote(self, request: CaseUndoRequest, rule: str, count: int) -> None:
        demotion = Demotion(
            by=bounded(request.scope.by, 120),
            at=workflow.now(),
            reason=bounded(request.scope.reason),
            undone=count,
        )
        with suppress(FailureError):
            await workflow.get_external_workflow_handle(names.GUARD_ID).signal(
                names.WORK_UNDONE, args=[rule, demotion]
            )


@workflow.defn(name=names.UNDO)
class UndoWorkflow:
    """Undoes many cases, some at a time.

    Id: `undoing/<number>`. The result sums up what was undone.
    """

    @workflow.init
    def __init__(self, many: UndoRequest) -> None:
        self._left = list(many.cases)
        self._done = many.done
        self._total = many.total or len(many.cases)

    @workflow.run
    async def run(self, many: UndoRequest) -> UndoSummary:  # noqa: ARG002 - taken by __init__
        """Start an undo for each case, wait for them, sum up."""
        while self._left:
            batch, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
            for undone in await asyncio.gather(*(self._undo(one) for one in batch)):
                self._done = self._done.plus(undone)
            if self._left and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(
                    UndoRequest(cases=tuple(self._left), done=self._done, total=self._total)
                )
        return self._done

    @workflow.query(name=names.STATUS)
    def status(self) -> UndoProgress:
        """How far it is."""
        return UndoProgress(total=self._total, left=len(self._left), undone=self._done)

    async def _undo(self, one: CaseUndoRequest) -> UndoSummary:
        try:
            undone: UndoSummary = await workflow.execute_child_workflow(
                CaseUndoWorkflow.run,
                one,
                id=_undo_id(one),
                parent_close_policy=ParentClosePolicy.ABANDON,
            )
        except WorkflowAlreadyStartedError:
            return UndoSummary(under_way=1)
        except FailureError as error:
            workflow.logger.error(
                "undo.failed", extra={"case": one.case, "why": str(error.cause)[:200]}
            )
            return UndoSummary(cases=1, failed=1)
        return undone


def _records(
    request: CaseUndoRequest, work: UndoPlan, outcomes: Sequence[tuple[str, str | None, str]]
) -> Iterator[AuditRecord]:
    info, now = workflow.info(), workflow.now()
    for number, (action, target, outcome) in enumerate(outcomes):
        yield AuditRecord(
            id=f"{info.workflow_id}/{info.run_id}/{number}",
            at=now,
            kind=RecordKind.UNDONE,
            rule=work.rule,
            rule_version=work.version,
            case=work.case,
            action=action,
            target=target,
            outcome=outcome,
            actor=bounded(request.scope.by, 120),
            detail=bounded(request.scope.reason) or None,
        )


def _owner(uid: str) -> str:
    """The mark that everything bears which a case has made."""
    return f"case-run:{uid.rpartition('/')[2]}"


def _undo_id(one: CaseUndoRequest) -> str:
    """One undo to a case; the undo of single messages is another one."""
    messages = one.scope.messages
    part = (
        f"/{hashlib.sha256(' '.join(sorted(messages)).encode()).hexdigest()[:12]}"
        if messages is not None
        else ""
    )
    return names.case_undo_id(f"{one.case}/{one.first_run}{part}")


def _in_batches(records: tuple[AuditRecord, ...]) -> Iterator[tuple[AuditRecord, ...]]:
    return (
        records[first : first + _RECORDS_AT_ONCE]
        for first in range(0, len(records), _RECORDS_AT_ONCE)
    )
