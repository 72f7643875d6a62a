"""The activity that reserves a move and makes it in the same breath, if nothing stands in its way.

Most moves can leave at once. For those an activity and a workflow task of their own, with their
eight writes of the server, would cost a small case a third of its CPU time (ADR 34).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.containment import ContainmentActivities, MoveMessages
from activities.guard import GuardActivities, ReserveStep
from clawback.actions.outcomes import MOVED, failed
from clawback.guard import ReservationResult
from clawback.model.payload import Payload
from clawback.temporal.error_types import NOT_EXECUTED, ErrorType

GUARD_PATIENCE = timedelta(seconds=25)
"""How long the guard may take; the activity then fails, and the engine asks again."""
PATIENCE_AHEAD = timedelta(seconds=2)
"""How long the guard may take to answer about what comes next."""
MOST_MOVES = 200
"""Moves under way at once. They hold slots that other cases need to ask the guard."""
_NOT_SENT = failed("not_sent")


class Sent(StrEnum):
    """Whether the request of a move was sent."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


class ReserveMove(MoveMessages):
    """A move, and what must be reserved before it.

    `then` is what the case will reserve next, if every message is moved.
    """

    step: ReserveStep
    then: ReserveStep | None = None


class ReservedMove(Payload):
    """What the guard said, and what became of the messages; one that is missing is unknown.

    `then` is what the guard said about what comes next, if it was asked and answered.
    """

    reserved: ReservationResult
    then: ReservationResult | None = None
    sent: Sent = Sent.NO
    outcomes: dict[str, str] = Field(default_factory=dict)


class ReservedMoveActivities:
    """Moves at once where the rate limit lets a request through, and not too many at a time.

    Everything else is left to the queue of containment: what must wait, what people have stopped,
    and every second attempt.
    """

    def __init__(
        self,
        guard: GuardActivities,
        containment: ContainmentActivities,
        may_send: Callable[[], bool],
    ) -> None:
        self._guard = guard
        self._containment = containment
        self._may_send = may_send
        self._moving = 0

    @activity.defn(name="guard.reserve_and_move")
    async def reserve_and_move(self, request: ReserveMove) -> ReservedMove:
        """Reserve a move; make it if it was granted and may leave now.

        A retry moves nothing: whether the attempt before it did is for the workflow to find out.

        Raises:
            ApplicationError: the guard or the audit did not answer; the engine asks again.

        """
        if activity.info().attempt > 1:
            # Whatever holds now: the first attempt may have been granted, and have moved.
            reserved = await self._reserve(self._guard.repeat, request.step, GUARD_PATIENCE)
            return ReservedMove(reserved=reserved, sent=Sent.MAYBE)

        reserved = await self._reserve(self._guard.reserve, request.step, GUARD_PATIENCE)
        if not reserved.granted or self._moving >= MOST_MOVES or not self._may_send():
            return _unsent(request, reserved)
        return await self._move(request, reserved)

    async def _reserve(
        self,
        ask: Callable[[ReserveStep], Awaitable[ReservationResult]],
        step: ReserveStep,
        patience: timedelta,
    ) -> ReservationResult:
        try:
            async with asyncio.timeout(patience.total_seconds()):
                return await ask(step)
        except TimeoutError as error:
            raise ApplicationError(
                "the guard does not answer", type=ErrorType.UNAVAILABLE
            ) from error

    async def _move(self, request: ReserveMove, reserved: ReservationResult) -> ReservedMove:
        self._moving += 1
        try:
            moved = await self._containment.move_messages(request)
        except ApplicationError as error:
            if error.type in NOT_EXECUTED:
                return _unsent(request, reserved)
            return ReservedMove(reserved=reserved, sent=Sent.MAYBE)
        finally:
            self._moving -= 1

        is_complete = all(moved.outcomes.get(target.id) == MOVED for target in request.targets)
        then = await self._ask_ahead(request.then) if request.then and is_complete else None
        return ReservedMove(reserved=reserved, then=then, sent=Sent.YES, outcomes=moved.outcomes)

    async def _ask_ahead(self, step: ReserveStep) -> ReservationResult | None:
        """Reserve what comes next; if there is no answer, the case asks under the same id."""
        try:
            return await self._reserve(self._guard.reserve, step, PATIENCE_AHEAD)
        except ApplicationError:
            return None


def _unsent(request: ReserveMove, reserved: ReservationResult) -> ReservedMove:
    outcomes = {target.id: _NOT_SENT for target in request.targets}
    return ReservedMove(reserved=reserved, outcomes=outcomes)
