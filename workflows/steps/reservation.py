"""The guard as a case sees it: reserve before a step, refund what was not spent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.guard import GuardActivities, ReserveStep
    from clawback.actions.outcomes import TOOK_EFFECT
    from clawback.cases import ActionStep, Case, CasePlan
    from clawback.guard import Refund, Reservation, ReservationResult
    from clawback.model.audit_record import AuditRecord
    from clawback.model.size import payload_size
    from clawback.temporal import names
    from workflows.options import RESERVE
    from workflows.steps.audit import write_records

_MOST_RECORDS = 32 * 1024
"""Bytes of audit records that go with a reservation: the history keeps them."""


class ReservedStep:
    """The guard's answer about one step: `refusal` says why it was refused, None if granted."""

    def __init__(self, reservation: Reservation, result: ReservationResult) -> None:
        self._reservation = reservation
        self.refusal = None if result.granted else result.reason
        self.repeats = result.repeats

    async def refund(self, outcomes: Mapping[str, str], case: Case) -> None:
        """Refund what took no effect. If the guard is gone, so is what it had charged."""
        effective = sum(outcome in TOOK_EFFECT for outcome in outcomes.values())
        unspent = self._reservation.count - effective
        if unspent > 0:
            with suppress(FailureError):
                guard = workflow.get_external_workflow_handle(names.GUARD_ID)
                await guard.signal(
                    names.REFUNDED,
                    Refund(
                        id=self._reservation.id,
                        count=unspent,
                        # Also if it has become one of several parts since the reservation.
                        campaign=self._reservation.campaign or case.counted_campaign,
                    ),
                )


async def reserve(
    plan: CasePlan, step: ActionStep, case: Case, records: Sequence[AuditRecord]
) -> ReservedStep:
    """Write the records that announce a step, and ask the guard about it, in one activity."""
    reservation = Reservation(
        # Deterministic, so that a retry or a replay asks under the same id and is charged once.
        id=str(workflow.uuid4()),
        rule=plan.rule,
        budget=step.action.budget,
        count=len(step.subjects),
        spent=case.actions.spent,
        campaign=case.counted_campaign,
        verdicts=Counter(target.verdict for target in step.targets if target.verdict),
        limits=plan.limits,
        subject=step.action.guard_subject,
        approved=step.approved,
    )
    case.ask(step)
    if payload_size(records) > _MOST_RECORDS:
        await write_records(records)
        records = ()
    request = ReserveStep(reservation=reservation, records=tuple(records))
    result = await workflow.execute_activity_method(GuardActivities.reserve, request, **RESERVE)
    return ReservedStep(reservation, result)
