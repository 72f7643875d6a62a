"""The guard as a case sees it: reserve before a step, refund what was not spent."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.guard import GuardActivities
    from clawback.actions.outcomes import TOOK_EFFECT
    from clawback.cases import ActionStep, CasePlan
    from clawback.guard import Refund, Reservation, ReservationResult
    from clawback.temporal import names
    from workflows.options import RESERVE


class ReservedStep:
    """The guard's answer about one step: `refusal` says why it was refused, None if granted."""

    def __init__(self, reservation: Reservation, result: ReservationResult) -> None:
        self._reservation = reservation
        self.refusal = None if result.granted else result.reason
        self.repeats = result.repeats

    async def refund(self, outcomes: Mapping[str, str]) -> None:
        """Refund what took no effect. If the guard is gone, so is what it had charged."""
        effective = sum(outcome in TOOK_EFFECT for outcome in outcomes.values())
        unspent = self._reservation.count - effective
        if unspent > 0:
            with suppress(FailureError):
                guard = workflow.get_external_workflow_handle(names.GUARD_ID)
                await guard.signal(names.REFUNDED, Refund(id=self._reservation.id, count=unspent))


async def reserve(plan: CasePlan, step: ActionStep, spent: int) -> ReservedStep:
    """Ask the guard about a step.

    `spent` counts the messages the case has touched since people last decided about it.
    """
    reservation = Reservation(
        # Deterministic, so that a retry or a replay asks under the same id and is charged once.
        id=str(workflow.uuid4()),
        rule=plan.rule,
        budget=step.action.budget,
        count=len(step.subjects),
        spent=spent,
        verdicts=Counter(target.verdict for target in step.targets if target.verdict),
        limits=plan.limits,
        subject=step.action.guard_subject,
        approved=step.approved,
    )
    result = await workflow.execute_activity_method(GuardActivities.reserve, reservation, **RESERVE)
    return ReservedStep(reservation, result)
