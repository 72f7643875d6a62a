"""How one act of a case is carried out: attempt, wait, verify, repeat.

Every outcome is certain, or recorded as unknown.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.containment import (
        BlockPattern,
        ContainmentActivities,
        LocateMessages,
        MoveMessages,
        MoveOutcomes,
        ReclassifyMessage,
    )
    from clawback.actions import BlockSender, BulkMove, Move, PolicyAction, Reclassify, Release
    from clawback.cases import BLOCKED, RECLASSIFIED, UNKNOWN, ActionStep, failed
    from clawback.model.blocks import ExpiringBlock, OwnedBlock
    from clawback.model.messages import Target
    from clawback.temporal import names
    from clawback.temporal.error_types import ErrorType
    from workflows.block_expiry import BlockExpiryWorkflow
    from workflows.options import MOST_SILENT, REFUSED_PAUSE
    from workflows.policy_expiry import PolicyMaking
    from workflows.steps.attempts import (
        Answered,
        Effort,
        Impossible,
        Lost,
        NotExecuted,
        approved,
        verify,
    )
    from workflows.steps.create_once import create_once
    from workflows.steps.release import Releasing


class Containment:
    """Carries out the acts of one case.

    `owner` is the mark that its blocks bear, `is_off` says that nothing more is wanted.
    """

    def __init__(self, case_id: str, owner: str, rule: str, is_off: Callable[[], bool]) -> None:
        self._case_id = case_id
        self._owner = owner
        self._rule = rule
        self._is_off = is_off
        self._policies = PolicyMaking(case_id, owner, rule, is_off)

    async def carry_out(
        self, act: ActionStep, seen_at: dict[str, datetime], offence: int = 0
    ) -> dict[str, str]:
        """Do the act and give one outcome for each of its subjects.

        `offence` counts earlier blocks of the same pattern.
        """
        approved.set(act.approved)
        match act.action:
            case Move():
                return await Moving(act.action, seen_at, self._is_off).run(act.targets)
            case BulkMove():
                move = Move(destination=act.action.destination)
                return await Moving(move, seen_at, self._is_off).run(act.targets)
            case Reclassify():
                return {act.targets[0].id: await self._reclassify(act.action, act.targets[0])}
            case PolicyAction():
                return {act.action.label: await self._policies.make(act.action)}
            case Release():
                return await Releasing(self._is_off).run(act.targets)
            case BlockSender():
                return {act.action.pattern: await self._block(act.action, offence)}

    async def _block(self, action: BlockSender, offence: int) -> str:
        until = workflow.now() + action.term(offence)
        comments = f"clawback {self._case_id} expires {until:%FT%TZ} {self._owner}"
        wanted = BlockPattern(
            pattern=action.pattern, kind=action.kind, owner=self._owner, comments=comments
        )
        made = await create_once(
            ContainmentActivities.find_block,
            ContainmentActivities.create_block,
            wanted,
            self._is_off,
        )
        return made if isinstance(made, str) else await self._ending(made.id, action, until)

    async def _ending(self, block: str, action: BlockSender, until: datetime) -> str:
        """Let a block that we have made end when its time is up."""
        owned = OwnedBlock(id=block, owner=self._owner, pattern=action.pattern, kind=action.kind)
        expiring = ExpiringBlock(block=owned, expires_at=until, rule=self._rule, case=self._case_id)
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                BlockExpiryWorkflow.run,
                expiring,
                id=names.expiry_id(block),
                memo={names.BLOCK_MEMO: expiring},
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"removes a block of {self._rule}",
            )
        return BLOCKED

    async def _reclassify(self, action: Reclassify, target: Target) -> str:
        wanted = ReclassifyMessage(
            target=target, disposition=action.disposition, since=workflow.now()
        )
        effort = Effort(self._is_off)
        while effort.goes_on:
            match await effort.make(ContainmentActivities.reclassify_message, wanted):
                case Answered():
                    return RECLASSIFIED
                case Impossible(why):
                    return failed(why)
                case Lost():
                    made = await verify(ContainmentActivities.find_submission, wanted)
                    if made is not False:
                        return RECLASSIFIED if made else UNKNOWN
        return effort.given_up()


class Moving:
    """Moves the messages of one act.

    In one request if all goes well, in halves where one refused message spoils the rest.
    """

    def __init__(
        self, action: Move, seen_at: dict[str, datetime], is_off: Callable[[], bool]
    ) -> None:
        self._action = action
        self._is_off = is_off
        self._seen_at = seen_at
        self._asked_at = workflow.now()
        self._refused: set[str] = set()

    async def run(self, targets: Sequence[Target]) -> dict[str, str]:
        """Give one outcome for each message.

        Those whose own mailbox refused are tried once more after a while.
        """
        outcomes = await self._move(targets)
        if self._refused and not self._is_off():
            await workflow.sleep(REFUSED_PAUSE, summary="before trying refused messages once more")
            outcomes |= await self._move(
                [target for target in targets if target.id in self._refused]
            )
        return outcomes

    async def _move(self, targets: Sequence[Target]) -> dict[str, str]:
        effort, outcomes, waiting, silent = Effort(self._is_off), dict[str, str](), list(targets), 0
        while waiting and effort.goes_on and silent < MOST_SILENT:
            request = MoveMessages(
                destination=self._action.destination,
                targets=tuple(waiting),
                seen_at=self._seen_at_of(waiting),
            )
            match await effort.make(ContainmentActivities.move_messages, request):
                case Answered(MoveOutcomes(outcomes=said)):
                    outcomes |= said
                    self._refused |= {
                        target for target, outcome in said.items() if outcome.startswith(failed(""))
                    }
                    silent += 1
                case Impossible(why):
                    return outcomes | await self._move_halves(waiting, why)
                case NotExecuted():
                    continue
            waiting = [target for target in waiting if target.id not in outcomes]
            outcomes |= await self._located(waiting)
            waiting = [target for target in waiting if target.id not in outcomes]
        return outcomes | {
            target.id: failed("not_moved") if silent >= MOST_SILENT else effort.given_up()
            for target in waiting
        }

    async def _move_halves(self, targets: Sequence[Target], why: ErrorType) -> dict[str, str]:
        if len(targets) == 1:
            return {targets[0].id: failed(why)}
        middle = len(targets) // 2
        return await self._move(targets[:middle]) | await self._move(targets[middle:])

    async def _located(self, targets: Sequence[Target]) -> dict[str, str]:
        if not targets:
            return {}
        request = LocateMessages(
            destination=self._action.destination, targets=tuple(targets), since=self._asked_at
        )
        found = await verify(ContainmentActivities.locate_messages, request)
        return (
            found.outcomes
            if isinstance(found, MoveOutcomes)
            else {target.id: UNKNOWN for target in targets}
        )

    def _seen_at_of(self, targets: Sequence[Target]) -> dict[str, datetime]:
        return {
            target.id: self._seen_at[target.id] for target in targets if target.id in self._seen_at
        }
