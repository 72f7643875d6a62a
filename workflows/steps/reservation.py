"""The guard as a case sees it: reserve before a step, refund what was not spent.

A move is made together with its reservation where it can leave at once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, cast

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.containment import MessageOutcomes
    from activities.guard import GuardActivities, ReserveStep
    from activities.reserved_moves import (
        ReservedMove,
        ReservedMoveActivities,
        ReserveMove,
        Sent,
    )
    from clawback.actions import BaseAction, BudgetKind, BulkMove, Move
    from clawback.actions.outcomes import TOOK_EFFECT, UNKNOWN
    from clawback.cases import ActionStep, Case, CasePlan, StepPurpose
    from clawback.cases.hold_cause import HoldCause
    from clawback.guard import Refund, Reservation, ReservationResult
    from clawback.model.audit_record import AuditRecord
    from clawback.model.size import payload_size
    from clawback.temporal import names
    from workflows.options import FIRST_PAUSE, RESERVE, RESERVE_AND_MOVE
    from workflows.steps.attempts import Answered, Attempt, Lost
    from workflows.steps.audit import write_records

_MOST_RECORDS = 32 * 1024
"""Bytes of audit records that go with a reservation: the history keeps them."""
_MOST_AHEAD = 100
"""Messages of a move after which the next step is reserved at once."""


class ReservedStep:
    """The answer about one step: `refusal` says why it was refused, None if granted.

    Nobody may approve a step with an `outcome`.

    `first` is the first attempt at the step, if it was made already, and `outcomes` what became of
    the messages by it.
    """

    def __init__(self, step: ActionStep, reservation: Reservation, reserved: ReservedMove) -> None:
        self._reservation = reservation
        self.refusal = None if reserved.reserved.granted else reserved.reserved.reason
        self.cause = reserved.reserved.cause or HoldCause.SHARE
        self.again = reserved.reserved.again
        self.outcome = reserved.reserved.outcome
        self.must_take_over = reserved.reserved.must_take_over
        self.repeats = reserved.reserved.repeats
        self.first = _first_attempt(reserved)
        subjects = () if self.first is None else step.subjects
        self.outcomes = {one: reserved.outcomes.get(one, UNKNOWN) for one in subjects}

    async def refund(self, outcomes: Mapping[str, str], case: Case) -> None:
        """Refund what took no effect."""
        effective = sum(outcome in TOOK_EFFECT for outcome in outcomes.values())
        unspent = self._reservation.count - effective
        if unspent > 0:
            await _refund(self._reservation, unspent, case)


@dataclass(frozen=True)
class _Ahead:
    """What a case will probably reserve next, and what the guard said; None if it did not."""

    step: ActionStep
    reservation: Reservation
    result: ReservationResult | None = None


class Reservations:
    """Asks the guard about the steps of one case, where possible about two at once."""

    def __init__(self, plan: CasePlan, case: Case) -> None:
        self._plan = plan
        self._case = case
        self._ahead: _Ahead | None = None

    async def reserve(
        self, step: ActionStep, records: Sequence[AuditRecord], *, looks_for_parts: bool = False
    ) -> ReservedStep:
        """Write the records that announce a step, and ask the guard about it.

        If the guard was asked together with the step before, its answer holds.
        """
        if self._ahead is not None and self._ahead.step != step:
            await self.give_back()
        ahead, self._ahead = self._ahead, None
        reservation = ahead.reservation if ahead else self._reservation(step)
        self._case.ask(step)

        if ahead is not None and ahead.result is not None:
            await write_records(records)
            return ReservedStep(step, reservation, ReservedMove(reserved=ahead.result))

        if payload_size(records) > _MOST_RECORDS:
            await write_records(records)
            records = ()
        request = self._request(step, reservation, records)
        if looks_for_parts:
            request = request.model_copy(update={"looks_for_parts": True})
        # What people have approved goes ahead of the rest, which only its own queue can do.
        # While it is held, people may deny it until the guard has answered.
        is_held = self._case.held_since is not None
        if step.approved or is_held or type(step.action) not in _AT_ONCE:
            return ReservedStep(step, reservation, await _ask(request))
        return ReservedStep(step, reservation, await self._move(step, request))

    async def give_back(self) -> None:
        """Refund what was reserved ahead, if there is anything: its step does not come next."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await _refund(ahead.reservation, ahead.reservation.count, self._case)

    async def _move(self, step: ActionStep, request: ReserveStep) -> ReservedMove:
        """Reserve and move, and ask about the next step too: most moves succeed."""
        ahead = self._next(step)
        move = ReserveMove(
            step=request,
            then=self._request(ahead.step, ahead.reservation) if ahead else None,
            action=cast("Move | BulkMove", step.action),
            authority=request.authority,
            targets=step.targets,
            first_seen=self._case.messages.first_seen_among(step.targets),
        )
        reserved: ReservedMove = await workflow.execute_activity_method(
            ReservedMoveActivities.reserve_and_move, move, **RESERVE_AND_MOVE
        )
        if ahead is not None and reserved.sent is Sent.YES:
            self._ahead = replace(ahead, result=reserved.then)
        return reserved

    def _next(self, step: ActionStep) -> _Ahead | None:
        # Looking ahead copies the case, and the guard counts large campaigns by itself.
        if len(step.targets) > _MOST_AHEAD or self._case.counted_campaign is not None:
            return None
        following = self._case.following(step, workflow.now())
        if following is None:
            return None
        is_counted = step.budget is BudgetKind.MESSAGES
        return _Ahead(following, self._reservation(following, len(step.subjects) * is_counted))

    def _request(
        self, step: ActionStep, reservation: Reservation, records: Sequence[AuditRecord] = ()
    ) -> ReserveStep:
        return ReserveStep(
            reservation=reservation,
            action=step.action,
            authority=self._case.actions.authority_of(step),
            records=tuple(records),
        )

    def _reservation(self, step: ActionStep, more: int = 0) -> Reservation:
        is_response = step.purpose is StepPurpose.RESPONSE
        return Reservation(
            # Deterministic, so that a retry or a replay asks under the same id, charged once.
            id=str(workflow.uuid4()),
            rule=self._plan.rule,
            level=self._plan.level,
            budget=step.budget,
            count=step.cost,
            spent=self._case.actions.spent + more,
            campaign=self._case.counted_campaign,
            verdicts=Counter(target.verdict for target in step.targets if target.verdict),
            limits=self._plan.limits,
            subject=step.action.guard_subject,
            approved=step.approved,
            # Only what the response waits for has a place in the queue of the guard.
            case=workflow.info().workflow_id if is_response else "",
            since=self._case.held_since,
            asked=self._case.asked,
            protected=step.is_protected,
        )


async def _ask(request: ReserveStep) -> ReservedMove:
    result = await workflow.execute_activity_method(GuardActivities.reserve, request, **RESERVE)
    return ReservedMove(reserved=result)


async def _refund(reservation: Reservation, count: int, case: Case) -> None:
    """Refund what was not spent. If the guard is gone, so is what it had charged."""
    with suppress(FailureError):
        guard = workflow.get_external_workflow_handle(names.GUARD_ID)
        await guard.signal(
            names.REFUNDED,
            Refund(
                id=reservation.id,
                count=count,
                # Also if it has become one of several parts since the reservation.
                campaign=reservation.campaign or case.counted_campaign,
            ),
        )


def _first_attempt(reserved: ReservedMove) -> Attempt[MessageOutcomes] | None:
    match reserved.sent:
        case Sent.YES:
            return Answered(MessageOutcomes(outcomes=reserved.outcomes))
        case Sent.MAYBE:
            return Lost(FIRST_PAUSE)
        case Sent.NO:
            return None


_AT_ONCE: Final[frozenset[type[BaseAction]]] = frozenset({Move, BulkMove})
"""The actions whose request may leave together with the reservation."""
