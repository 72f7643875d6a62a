"""What a held case does while it waits for people, and how it takes that back (ADR 50)."""

from collections.abc import Iterator
from typing import Final

from clawback.actions import Action, Effect, Move, Scope
from clawback.actions.outcomes import ALREADY_THERE, MOVED, TOOK_EFFECT
from clawback.cases.case_actions import CaseActions, fit_request
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import GIVE_BACK, CasePlan
from clawback.cases.state import ActionStep, StepPurpose
from clawback.model.messages import Destination, Target
from clawback.model.texts import plural

FOLDERS: Final = (Destination.JUNK, Destination.DELETED)
"""Where `while-held` may move mail: its recipient still finds it there, and undo returns it."""
_CAUSES: Final = frozenset(
    {
        HoldCause.APPROVAL,
        HoldCause.CAMPAIGN,
        HoldCause.RULE_LIMIT,
        HoldCause.RULE_BUDGET,
        HoldCause.SHARE,
    }
)
"""With any other cause the rule itself or a verdict is in doubt, so nothing happens."""
_ADOPTED: Final = TOOK_EFFECT | {ALREADY_THERE}


def is_withheld(action: Action) -> bool:
    """Whether a held case keeps this action from messages of its own that it would take away.

    What a search finds is not among them: no condition of the rule holds for it.
    """
    is_single = action.scope is Scope.MESSAGE and not action.needs_search
    return is_single and action.effect is Effect.WITHHOLDS


class WhileHeld:
    """The move of one case while it is held.

    Its outcomes come after those of the actions of the plan, and those of giving back after them.
    """

    def __init__(self, plan: CasePlan, actions: CaseActions) -> None:
        self._plan = plan
        self._actions = actions
        self._index = len(plan.actions)

    def next_move(self, cause: HoldCause | None) -> ActionStep | None:
        """The move that is due while the case is held for this cause; None if none is.

        Each message is tried once: a refusal is as good as final.
        """
        action = self._plan.while_held
        if action is None or cause not in _CAUSES or self.is_moving:
            return None
        targets = tuple(self._waiting())
        if not targets:
            return None
        purpose = StepPurpose.WHILE_HELD
        return fit_request(
            ActionStep(index=self._index, action=action, targets=targets, purpose=purpose)
        )

    def next_return(self) -> ActionStep | None:
        """The step that gives back what was moved, approved by whoever denied the case."""
        if self._plan.while_held is None or self.is_busy:
            return None
        returned, adopted = self._actions.outcomes[self._index + 1], self._touched(_ADOPTED)
        waiting = self._actions.moved_while_held() - returned.keys() - adopted
        if not waiting:
            return None
        step = ActionStep(
            index=self._index + 1,
            action=GIVE_BACK,
            targets=tuple(one for one in self._actions.messages if one.id in waiting),
            approved=True,
            purpose=StepPurpose.GIVE_BACK,
        )
        return fit_request(step)

    def describe_kept(self) -> str | None:
        """Say what stays moved if people do not deny the case; None if nothing does."""
        action = self._plan.while_held
        if action is None:
            return None
        ended = self._actions.outcomes[self._index].items()
        moved = {subject for subject, outcome in ended if outcome in TOOK_EFFECT}
        if not (kept := moved - self._touched(_ADOPTED)):
            return None
        return f"{plural(len(kept), 'message')} left in {action.destination}; undo returns them"

    @property
    def is_moving(self) -> bool:
        """Whether such a move is being carried out."""
        return self._actions.is_in_progress(self._index)

    @property
    def is_busy(self) -> bool:
        """Whether such a move is being carried out, or taken back."""
        return self.is_moving or self._actions.is_in_progress(self._index + 1)

    def is_moving_any(self, step: ActionStep) -> bool:
        """Whether a message of a step is just being moved: the order of both must be certain."""
        moving = {
            subject
            for one in self._actions.in_progress
            if one.purpose is StepPurpose.WHILE_HELD
            for subject in one.subjects
        }
        return not moving.isdisjoint(step.subjects)

    def already_there(self, step: ActionStep) -> dict[str, str]:
        """The outcomes of a step for messages that were moved to the same folder already."""
        action, response = self._plan.while_held, step.action
        if action is None or not isinstance(response, Move):
            return {}
        if step.purpose is not StepPurpose.RESPONSE:
            return {}
        moved = self._actions.outcomes[self._index]
        there = (
            target.id
            for target in step.targets
            if moved.get(target.id) == MOVED
            and response.folder_for(target) is action.folder_for(target)
        )
        return dict.fromkeys(there, ALREADY_THERE)

    def moved_before(self, step: ActionStep) -> set[str]:
        """The messages of a step of the response that were moved while the case was held."""
        if step.purpose is not StepPurpose.RESPONSE:
            return set()
        return self._actions.moved_while_held().intersection(step.subjects)

    def _waiting(self) -> Iterator[Target]:
        known = self._actions.outcomes[self._index].keys() | self._touched(TOOK_EFFECT)
        withheld = (step for step in self._actions.pending() if is_withheld(step.action))
        found: dict[str, Target] = {}
        for step in self._actions.without_known(withheld):
            found |= {target.id: target for target in step.targets if target.id not in known}
        yield from found.values()

    def _touched(self, outcomes: frozenset[str]) -> set[str]:
        """The messages for which an action of the plan itself has one of these outcomes."""
        return {
            subject
            for known in self._actions.outcomes[: self._index]
            for subject, outcome in known.items()
            if outcome in outcomes
        }
