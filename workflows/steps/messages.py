"""Moves and releases: one request for many messages, until each of them has an outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.containment import (
        ContainmentActivities,
        FindRelease,
        LocateMessages,
        MessageOutcomes,
        MoveMessages,
        ReleaseMessages,
    )
    from clawback.actions import MoveAction, Release
    from clawback.actions.outcomes import GONE, UNKNOWN, failed, is_failed
    from clawback.model.messages import Destination, Target
    from workflows.options import EFFECT_PAUSES, LOST_PAUSES, MOST_SILENT, REFUSED_PAUSE
    from workflows.steps.attempts import (
        Answered,
        Attempt,
        Attempts,
        Impossible,
        NotExecuted,
        Withheld,
        verify,
    )
    from workflows.steps.context import StepContext

MOST_RELEASES = 100
"""Messages in one release: the API advises fewer than for a move (reference §2.8)."""

Outcomes = dict[str, str]


async def move_messages(
    action: MoveAction, targets: Sequence[Target], context: StepContext
) -> Outcomes:
    """Move the messages; those whose own mailbox refused are tried once more after a while."""
    moves = _Moves(action, context)
    outcomes = await moves.settle(targets)
    refused = [target for target in targets if target.id in moves.refused]
    if refused and context.may_continue:
        await workflow.sleep(REFUSED_PAUSE, summary="before trying refused messages once more")
        outcomes |= await moves.settle(refused)

    return outcomes


async def release_messages(
    action: Release,
    targets: Sequence[Target],
    context: StepContext,
) -> Outcomes:
    """Release the messages, a hundred to a request."""
    releases = _Releases(action, context)
    outcomes: Outcomes = {}
    for first in range(0, len(targets), MOST_RELEASES):
        outcomes |= await releases.settle(targets[first : first + MOST_RELEASES])
    return outcomes


async def in_halves(
    send: Callable[[Sequence[Target]], Awaitable[Outcomes]], targets: Sequence[Target], why: str
) -> Outcomes:
    """Send the halves of a refused request, so that one bad message fails alone."""
    if len(targets) == 1:
        return {targets[0].id: failed(why)}
    middle = len(targets) // 2
    return await send(targets[:middle]) | await send(targets[middle:])


class _Requests:
    """Repeats a request until every message has an outcome, checking the API in between.

    What was accepted may take effect minutes later, so it is looked for with growing pauses before
    it is asked for again. No slot is held meanwhile.
    """

    silence: ClassVar[str]
    """The outcome of a message that `most_silent` responses did not name and that is unchanged."""
    lost_pauses: ClassVar[Sequence[timedelta]] = ()
    """Waits between looks after a lost response, before the request is repeated."""
    most_silent: int = MOST_SILENT

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._first = context.first
        self._started_at = workflow.now()

    async def settle(self, targets: Sequence[Target]) -> Outcomes:
        """Give one outcome for each message."""
        attempts, silent = self._context.attempts(first=self._first), 0
        self._first = None
        outcomes: Outcomes = {}
        waiting = list(targets)

        while waiting and attempts.may_continue and silent < self.most_silent:
            pauses = self.lost_pauses
            match await self._request(attempts, waiting):
                case Answered(MessageOutcomes(outcomes=answered)):
                    self._note(answered)
                    outcomes |= answered
                    pauses = self._effect_pauses(silent)
                    silent += 1
                case Impossible(why):
                    return outcomes | await in_halves(self.settle, waiting, why)
                # Nothing was sent, so there is nothing to look up.
                case NotExecuted() | Withheld():
                    continue

            # After a lost response too: what the API shows counts, whatever the request returned.
            waiting = [target for target in waiting if target.id not in outcomes]
            outcomes |= await self._look_up_until_settled(waiting, pauses)
            waiting = [target for target in waiting if target.id not in outcomes]

        is_silent = silent >= self.most_silent
        rest = failed(self.silence) if is_silent else attempts.outcome_of_giving_up
        return outcomes if rest is None else outcomes | {target.id: rest for target in waiting}

    async def _look_up_until_settled(
        self, targets: Sequence[Target], pauses: Sequence[timedelta]
    ) -> Outcomes:
        outcomes = await self._look_up(targets)
        for pause in pauses:
            targets = [target for target in targets if target.id not in outcomes]
            if not targets or not self._context.may_continue:
                break
            await workflow.sleep(pause, summary="before looking for the effect again")
            outcomes |= await self._look_up(targets)
        return outcomes

    def _effect_pauses(self, silent: int) -> Sequence[timedelta]:
        """Waits between looks after a response that leaves messages open, the first being 0."""
        return EFFECT_PAUSES

    def _note(self, outcomes: Outcomes) -> None:
        """Take note of the outcomes of one response."""

    async def _request(self, attempts: Attempts, targets: Sequence[Target]) -> Attempt[Any]:
        raise NotImplementedError

    async def _look_up(self, targets: Sequence[Target]) -> Outcomes:
        """Check the API: messages that certainly are unchanged are left out."""
        raise NotImplementedError


class _Moves(_Requests):
    silence = "not_moved"

    def __init__(self, action: MoveAction, context: StepContext) -> None:
        super().__init__(context)
        self.refused: set[str] = set()
        self._action = action
        is_inbox = action.destination is Destination.INBOX
        self._can_look_up = not is_inbox and not context.moved_before
        if not self._can_look_up:
            self.most_silent = len(EFFECT_PAUSES)

    def _note(self, outcomes: Outcomes) -> None:
        # What is gone may only be late: a message reaches its mailbox after it was scanned.
        self.refused |= {
            id_ for id_, outcome in outcomes.items() if is_failed(outcome) or outcome == GONE
        }

    def _effect_pauses(self, silent: int) -> Sequence[timedelta]:
        """Space the repeats of a move that the API cannot tell about: to the inbox, or a second."""
        return EFFECT_PAUSES if self._can_look_up else EFFECT_PAUSES[silent : silent + 1]

    async def _request(self, attempts: Attempts, targets: Sequence[Target]) -> Attempt[Any]:
        ids = {target.id for target in targets}
        request = MoveMessages(
            action=self._action,
            authority=self._context.authority,
            targets=tuple(targets),
            # Only for these messages: the payload of each half of a batch stays small.
            first_seen={id_: at for id_, at in self._context.first_seen.items() if id_ in ids},
        )
        return await attempts.make(ContainmentActivities.move_messages, request)

    async def _look_up(self, targets: Sequence[Target]) -> Outcomes:
        # Of what was moved before, a record says nothing about this move, so it is repeated.
        before = self._context.moved_before
        unmoved = tuple(target for target in targets if target.id not in before)
        if not unmoved or self._action.destination is Destination.INBOX:
            return {}

        request = LocateMessages(destination=self._action.destination, targets=unmoved)
        found = await verify(ContainmentActivities.locate_messages, request)
        if isinstance(found, MessageOutcomes):
            return found.outcomes

        return {target.id: UNKNOWN for target in unmoved}


class _Releases(_Requests):
    silence = "not_released"
    lost_pauses = LOST_PAUSES

    def __init__(self, action: Release, context: StepContext) -> None:
        super().__init__(context)
        self._action = action

    async def _request(self, attempts: Attempts, targets: Sequence[Target]) -> Attempt[Any]:
        request = ReleaseMessages(
            action=self._action, authority=self._context.authority, targets=tuple(targets)
        )
        return await attempts.make(ContainmentActivities.release_messages, request)

    async def _look_up(self, targets: Sequence[Target]) -> Outcomes:
        """A release delivers: one that cannot be checked is unknown and not repeated."""
        requests = [FindRelease(target=target, since=self._started_at) for target in targets]
        results = await asyncio.gather(
            *(verify(ContainmentActivities.find_release, request) for request in requests)
        )
        outcomes: Outcomes = {}

        for target, result in zip(targets, results, strict=True):
            is_known = isinstance(result, MessageOutcomes)
            outcomes |= result.outcomes if is_known else {target.id: UNKNOWN}

        return outcomes
