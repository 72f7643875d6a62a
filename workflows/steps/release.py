"""How the releases of one act are carried out.

A release delivers: one whose answer was lost is looked up before anything is repeated.
"""

import asyncio
from collections.abc import Callable, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.containment import (
        ContainmentActivities,
        FindRelease,
        MoveOutcomes,
        ReleaseMessages,
    )
    from clawback.cases import UNKNOWN, failed
    from clawback.model.messages import Target
    from clawback.temporal.error_types import ErrorType
    from workflows.options import MOST_SILENT
    from workflows.steps.attempts import Answered, Effort, Impossible, NotExecuted, verify

AT_ONCE = 100
"""Messages in one release.

The API says no number, and advises fewer than for a move (reference §2.8).
"""


class Releasing:
    """Releases the messages of one act, a hundred to a request.

    `is_off` says that nothing more is wanted.
    """

    def __init__(self, is_off: Callable[[], bool]) -> None:
        self._is_off = is_off

    async def run(self, targets: Sequence[Target]) -> dict[str, str]:
        """Give one outcome for each message."""
        outcomes: dict[str, str] = {}
        for first in range(0, len(targets), AT_ONCE):
            outcomes |= await self._release(targets[first : first + AT_ONCE])
        return outcomes

    async def _release(self, targets: Sequence[Target]) -> dict[str, str]:
        effort, outcomes, waiting, silent, asked_at = (
            Effort(self._is_off),
            dict[str, str](),
            list(targets),
            0,
            workflow.now(),
        )
        while waiting and effort.goes_on and silent < MOST_SILENT:
            match await effort.make(
                ContainmentActivities.release_messages, ReleaseMessages(targets=tuple(waiting))
            ):
                case Answered(MoveOutcomes(outcomes=said)):
                    outcomes |= said
                    silent += 1
                case Impossible(why):
                    return outcomes | await self._in_halves(waiting, why)
                case NotExecuted():
                    continue
            waiting = [target for target in waiting if target.id not in outcomes]
            outcomes |= await self._found(
                [FindRelease(target=target, since=asked_at) for target in waiting]
            )
            waiting = [target for target in waiting if target.id not in outcomes]
        return outcomes | {
            target.id: failed("not_released") if silent >= MOST_SILENT else effort.given_up()
            for target in waiting
        }

    async def _found(self, wanted: Sequence[FindRelease]) -> dict[str, str]:
        """Look for each message whether it is out.

        One that cannot be looked for is unknown, and never tried again.
        """
        found = await asyncio.gather(
            *(verify(ContainmentActivities.find_release, one) for one in wanted)
        )
        outcomes: dict[str, str] = {}
        for one, said in zip(wanted, found, strict=True):
            outcomes |= (
                said.outcomes if isinstance(said, MoveOutcomes) else {one.target.id: UNKNOWN}
            )
        return outcomes

    async def _in_halves(self, targets: Sequence[Target], why: ErrorType) -> dict[str, str]:
        if len(targets) == 1:
            return {targets[0].id: failed(why)}
        middle = len(targets) // 2
        return await self._release(targets[:middle]) | await self._release(targets[middle:])
