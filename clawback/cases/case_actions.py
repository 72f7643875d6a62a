"""The actions of a case: which are pending, their outcomes, and what the case spent on them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from clawback.actions import Action, BudgetKind, Scope
from clawback.actions.outcomes import TOOK_EFFECT, failed
from clawback.cases.authority import Authority
from clawback.cases.case_messages import CaseMessages
from clawback.cases.plan import CasePlan
from clawback.cases.state import (
    ActionStep,
    AppliedAction,
    Campaign,
    CaseSnapshot,
    Decision,
    SearchStep,
)
from clawback.model.messages import MAX_MESSAGES_PER_REQUEST


class CaseActions:
    """How far the actions of a plan are; a public attribute is the snapshot's of that name."""

    def __init__(
        self, plan: CasePlan, messages: CaseMessages, snapshot: CaseSnapshot, part: int = 1
    ) -> None:
        self.outcomes = [dict(one) for one in snapshot.outcomes] or [{} for _ in plan.actions]
        self.applied = list(snapshot.applied)
        self.in_progress = snapshot.in_progress
        self.spent = snapshot.spent
        self._plan = plan
        self._messages = messages
        self._part = part
        self._asked = 0
        self.campaign = snapshot.campaign or Campaign(
            id=snapshot.uid.rpartition("/")[2], opened_at=snapshot.opened_at
        )

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {
            "outcomes": tuple(self.outcomes),
            "applied": tuple(self.applied),
            "in_progress": self.in_progress,
            "spent": self.spent,
            "campaign": self.campaign,
        }

    # ---- what is pending

    def due_search(self) -> SearchStep | None:
        """The next search. Searches come first: what they find is part of what people approve."""
        if self._part > 1 or not self._messages.events:
            return None
        due = (
            SearchStep(index=index, action=action)
            for index, action in enumerate(self._plan.actions)
            if action.needs_search and index not in self._messages.search_results
        )
        return next(due, None)

    def next_step(self) -> ActionStep | None:
        """The pending step that comes next, for as many messages as one request may name.

        Mail to protected people goes first and alone: other messages of its campaign, for which a
        budget has no room, must not keep its reserve from it.
        """
        step = next(self.pending(), None)
        if step is None:
            return None
        protected = tuple(target for target in step.targets if target.protected)
        targets = (protected or step.targets)[:MAX_MESSAGES_PER_REQUEST]
        return step.model_copy(update={"targets": targets})

    def pending(self) -> Iterator[ActionStep]:
        """The pending steps in the order of the plan, each for all its messages.

        Reclassifications come last: they tell Cloudflare, and no move waits for that. A further
        part of a campaign has only the actions on single messages.
        """
        if not self._messages.events:
            return iter(())
        steps = self._pending_in_plan()
        return steps if self._part == 1 else filter(_is_of_every_part, steps)

    def _pending_in_plan(self) -> Iterator[ActionStep]:
        targets = self._messages.targets.values()
        for index, action in sorted(enumerate(self._plan.actions), key=_is_last):
            known = self.outcomes[index]
            if action.scope is Scope.MESSAGE:
                found = self._messages.search_results.get(index, ())
                among = found if action.needs_search else targets
                waiting = tuple(target for target in among if target.id not in known)
                if waiting:
                    yield ActionStep(index=index, action=action, targets=waiting)
            # Once for the case; a reclassification takes its first message.
            elif not known:
                yield ActionStep(index=index, action=action, targets=tuple(targets)[:1])

    def precheck(self, step: ActionStep) -> dict[str, str]:
        """The outcomes of a step that are known without asking the API, by subject."""
        if (reason := self._plan.refusals.get(step.index)) is not None:
            return dict.fromkeys(step.subjects, failed(reason))
        return step.action.precheck(step.targets, self._messages.handled)

    def without_known(self, steps: Iterable[ActionStep]) -> Iterator[ActionStep]:
        """The steps without the messages whose outcome is known."""
        for step in steps:
            known = self.precheck(step)
            targets = tuple(target for target in step.targets if target.id not in known)
            if not known or targets:
                yield step.model_copy(update={"targets": targets})

    def authority_of(self, step: ActionStep) -> Authority:
        """What a step rests on, for those who check it again before its requests leave."""
        times = [target.at for target in step.targets]
        is_single = step.action.scope is Scope.MESSAGE
        return Authority(
            rule=self._plan.rule,
            mode=self._plan.mode,
            actions_version=self._plan.actions_version,
            condition_versions=self._messages.conditions_of(step.targets if is_single else ()),
            oldest=min(times, default=None) if is_single else None,
            approved=step.approved,
        )

    # ---- what became of them

    def end(self, step: ActionStep, outcomes: Mapping[str, str], now: datetime) -> None:
        """Note the outcomes of a step, by subject."""
        self.in_progress = None
        self._asked = 0
        self.outcomes[step.index].update(outcomes)

        effective = tuple(one for one, outcome in outcomes.items() if outcome in TOOK_EFFECT)
        if effective:
            self.applied.append(AppliedAction(index=step.index, at=now, subjects=effective))
            self.spent += len(effective) if step.action.budget is BudgetKind.MESSAGES else 0

    # ---- what they spend

    def ask(self, step: ActionStep) -> None:
        """Note that the guard is asked about a step: it may have granted it already.

        A full part has no count of its own to keep: the guard counts the step itself.
        """
        self._asked = len(step.subjects) if step.action.budget is BudgetKind.MESSAGES else 0

    def forget_asked(self) -> None:
        """Note that the guard granted nothing."""
        self._asked = 0

    def start_anew(self, decision: Decision) -> None:
        """Count from zero again: people have decided about the case."""
        self.spent = 0
        self.campaign = self.campaign.model_copy(
            update={"spent": 0, "decision": decision.id, "decided_at": decision.at}
        )

    @property
    def current_campaign(self) -> Campaign:
        """The campaign as a further part of it has to know it now."""
        if self._part > 1:
            return self.campaign
        return self.campaign.model_copy(update={"spent": self.spent + self._asked})


def _is_last(item: tuple[int, Action]) -> bool:
    return item[1].budget is BudgetKind.RECLASSIFICATIONS


def _is_of_every_part(step: ActionStep) -> bool:
    return step.action.scope is Scope.MESSAGE and not step.action.needs_search
