"""The guard as a case sees it: ask before an act, give back what was not spent."""

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


class GrantedReservation:
    """What the guard said."""

    def __init__(self, ask: Reservation, answer: ReservationResult) -> None:
        self._ask = ask
        self.refusal = None if answer.granted else answer.reason
        self.repeats = answer.repeats

    async def settle(self, outcomes: Mapping[str, str]) -> None:
        """Give back what took no effect. If the guard is gone, so is what it had charged."""
        spare = self._ask.count - sum(outcome in TOOK_EFFECT for outcome in outcomes.values())
        if spare > 0:
            with suppress(FailureError):
                guard = workflow.get_external_workflow_handle(names.GUARD_ID)
                await guard.signal(names.REFUNDED, Refund(id=self._ask.id, count=spare))


class GuardClient:
    """Asks the guard on behalf of one case."""

    def __init__(self, plan: CasePlan) -> None:
        self._plan = plan

    async def ask(self, act: ActionStep, spent: int) -> GrantedReservation:
        """Reservation for one act.

        `spent` are the messages that the case has touched since people last looked at it.
        """
        ask = Reservation(
            id=str(workflow.uuid4()),
            rule=self._plan.rule,
            budget=act.action.budget,
            count=len(act.subjects),
            spent=spent,
            verdicts=Counter(target.verdict for target in act.targets if target.verdict),
            limits=self._plan.limits,
            subject=act.action.guard_subject,
            approved=act.approved,
        )
        return GrantedReservation(
            ask, await workflow.execute_activity_method(GuardActivities.reserve, ask, **RESERVE)
        )
