"""Undoes what one case did."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.containment import MessageOutcomes
    from activities.policies import PolicyActivities, PolicyRequest
    from activities.undo import CorrectMessage, ReturnMessages, UndoActivities
    from clawback.actions import Correction, PolicyAction
    from clawback.actions.outcomes import UNKNOWN, failed, is_failed
    from clawback.cases.undo_plan import UndoPlan
    from clawback.guard import Demotion
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.messages import MAX_MESSAGES_PER_REQUEST, Target
    from clawback.model.policies import EndedPolicy
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from clawback.temporal.error_types import PERMANENT
    from clawback.temporal.undo_gateway import CaseUndoRequest, UndoSummary
    from workflows.options import EFFECT_PAUSES, GUARD_PAUSE, UNDO, UNDO_ONCE, VERIFY_UNDO
    from workflows.steps.attempts import Attempts
    from workflows.steps.audit import write_records
    from workflows.steps.messages import in_halves
    from workflows.steps.reclassify import reclassify

# One hour, at one attempt in `GUARD_PAUSE`.
_DEMOTION_ATTEMPTS = 360


class _Outcome(NamedTuple):
    """What became of undoing one action on one target."""

    action: str
    target: str | None
    outcome: str


@workflow.defn(name=names.CASE_UNDO)
class CaseUndoWorkflow:
    """Undoes one case, or some of its messages.

    Id: `case-undo/<case>/<first run>`; one per case. It needs no replay of the case, and goes on
    whatever becomes of the caller.
    """

    def __init__(self) -> None:
        self._outcomes: list[_Outcome] = []

    @workflow.query(name=names.STATUS)
    def status(self) -> UndoSummary:
        """What was taken back so far."""
        return UndoSummary.of((one.action, one.outcome) for one in self._outcomes)

    @workflow.run
    async def run(self, request: CaseUndoRequest) -> UndoSummary:
        """End the case, demote its rule, undo what the case did, and record that."""
        # First, or the case could act again on what is being undone.
        if request.scope.ends_cases and not await self._end_case(request):
            await write_records((_build_start(request),))

        plan: UndoPlan = await workflow.execute_activity_method(
            UndoActivities.read_case, request, **UNDO
        )
        # Before anything is taken back: a match that is read again meanwhile opens a new case,
        # which must ask people.
        is_demoted = not plan.size or await self._demote(request, plan)

        outcomes = await self._undo(plan)
        await write_records(tuple(_build_records(request, plan, outcomes)))
        if not is_demoted:
            # A worker starts a lost guard again, and nothing acts without one.
            await self._wait_until_demoted(request, plan)

        return UndoSummary.of((one.action, one.outcome) for one in outcomes)

    async def _end_case(self, request: CaseUndoRequest) -> bool:
        """Make the case end; say whether it could be told why, and so has recorded it."""
        is_told: bool = await workflow.execute_activity_method(
            UndoActivities.end_case, request, **UNDO
        )
        return is_told

    async def _undo(self, plan: UndoPlan) -> list[_Outcome]:
        owner = _owner_mark(plan.uid)
        outcomes = self._outcomes
        await self._return_all(plan.messages)

        for policy in plan.policies:
            outcome = await self._remove_policy(owner, policy)
            outcomes.append(_Outcome(policy.name, policy.label, outcome))

        for correction in plan.corrections:
            outcome = await self._correct(plan.uid, correction)
            outcomes.append(_Outcome("reclassify", correction.target.id, outcome))

        outcomes += [_Outcome(action, None, failed("no_inverse")) for action in plan.irreversible]
        return outcomes

    async def _return_all(self, targets: Sequence[Target]) -> None:
        for first in range(0, len(targets), MAX_MESSAGES_PER_REQUEST):
            page = await self._return(targets[first : first + MAX_MESSAGES_PER_REQUEST])
            self._outcomes += [_Outcome("move", id_, outcome) for id_, outcome in page.items()]

    async def _return(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return messages to the inbox, and again those that a response leaves open.

        A move to the inbox cannot be looked up, and repeating it changes nothing.
        """
        outcomes = await self._request_return(targets)
        for pause in EFFECT_PAUSES:
            open_ = [target for target in targets if target.id not in outcomes]
            if not open_:
                break
            await workflow.sleep(pause, summary="before returning messages again")
            outcomes |= await self._request_return(open_)
        return {target.id: UNKNOWN for target in targets} | outcomes

    async def _request_return(self, targets: Sequence[Target]) -> dict[str, str]:
        """Return messages in one request; on a permanent refusal, halve the batch."""
        try:
            returned: MessageOutcomes = await workflow.execute_activity_method(
                UndoActivities.return_messages, ReturnMessages(targets=tuple(targets)), **UNDO
            )
        except ActivityError as error:
            if is_cancelled_exception(error) or (reason := _permanent_reason(error)) is None:
                raise
            return await in_halves(self._request_return, targets, reason)

        return returned.outcomes

    async def _remove_policy(self, owner: str, policy: PolicyAction) -> str:
        request = PolicyRequest(action=policy, owner=owner)
        ended: EndedPolicy = await workflow.execute_activity_method(
            PolicyActivities.remove_policies, request, **UNDO
        )
        return ended.removal

    async def _correct(self, case: str, correction: Correction) -> str:
        """Request the opposite reclassification, unless another undo of the case does, or did."""
        request = CorrectMessage(
            target=correction.target,
            disposition=correction.disposition,
            since=workflow.now(),
            case=case,
        )
        outcome = await reclassify(
            Attempts(options=UNDO_ONCE), UndoActivities.reclassify_message, request, VERIFY_UNDO
        )
        if outcome is None or is_failed(outcome):
            await workflow.execute_activity_method(
                UndoActivities.release_correction, request, **UNDO
            )
        return outcome or UNKNOWN

    async def _wait_until_demoted(self, request: CaseUndoRequest, plan: UndoPlan) -> None:
        for _ in range(_DEMOTION_ATTEMPTS):
            await workflow.sleep(GUARD_PAUSE)
            if await self._demote(request, plan):
                return

    async def _demote(self, request: CaseUndoRequest, plan: UndoPlan) -> bool:
        """Tell the guard to hold every further case of the rule until a person confirms it.

        False if there is no guard.
        """
        demotion = Demotion(
            actor=request.scope.actor,
            at=workflow.now(),
            reason=bounded(request.scope.reason),
            undone=plan.size,
        )
        guard = workflow.get_external_workflow_handle(names.GUARD_ID)
        try:
            await guard.signal(names.WORK_UNDONE, args=[plan.rule, demotion])
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return False
        return True


def _permanent_reason(error: ActivityError) -> str | None:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type in PERMANENT:
        return cause.type
    return None


def _build_start(request: CaseUndoRequest) -> AuditRecord:
    """Build the record that a case writes itself if it can be told that it is undone."""
    info = workflow.info()
    return AuditRecord(
        id=f"{info.workflow_id}/{info.run_id}/start",
        at=workflow.now(),
        kind=RecordKind.UNDO_STARTED,
        case=request.case.case,
        detail=f"the case took no signal and was cancelled · {bounded(request.scope.reason)}",
        **request.scope.actor.audit_fields,
    )


def _build_records(
    request: CaseUndoRequest, plan: UndoPlan, outcomes: Sequence[_Outcome]
) -> Iterator[AuditRecord]:
    info, now = workflow.info(), workflow.now()
    for number, one in enumerate(outcomes):
        yield AuditRecord(
            # The plan fixes the order, so a record that is written again keeps its id.
            id=f"{info.workflow_id}/{info.run_id}/{number}",
            at=now,
            kind=RecordKind.UNDONE,
            rule=plan.rule,
            rule_version=plan.version,
            case=plan.case,
            action=one.action,
            target=one.target,
            outcome=one.outcome,
            detail=bounded(request.scope.reason) or None,
            **request.scope.actor.audit_fields,
        )


def _owner_mark(case_uid: str) -> str:
    """The mark on everything that a case has created."""
    return f"case-run:{case_uid.rpartition('/')[2]}"
