"""The actions of a case: which are pending, their outcomes, and what the case spent on them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from clawback.actions import Action, BudgetKind, Scope
from clawback.actions.outcomes import MOVED, TOOK_EFFECT, failed
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
    StepPurpose,
)
from clawback.model.messages import MAX_MESSAGES_PER_REQUEST, Target
from clawback.model.mode import Mode


class CaseActions:
    """How far the actions of a plan are; a public attribute is the snapshot's of that name."""

    def __init__(
        self, plan: CasePlan, messages: CaseMessages, snapshot: CaseSnapshot, part: int = 1
    ) -> None:
        # A case that continues a lost one may have a plan with more, or fewer, of them.
        known = (*snapshot.outcomes, *({} for _ in plan.all_actions))
        self.outcomes = [dict(one) for one in known[: len(plan.all_actions)]]
        self.applied = list(snapshot.applied)
        self.in_progress = list(snapshot.in_progress)
        self.spent = snapshot.spent
        self._plan = plan
        self.messages = messages
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
            "in_progress": tuple(self.in_progress),
            "spent": self.spent,
            "campaign": self.campaign,
        }

    # ---- what is pending

    def due_search(self) -> SearchStep | None:
        """The next search. Searches come first: what they find is part of what people approve."""
        if self._part > 1 or not self.messages.events:
            return None
        due = (
            SearchStep(index=index, action=action)
            for index, action in enumerate(self._plan.actions)
            if action.needs_search and index not in self.messages.search_results
        )
        return next(due, None)

    def next_step(self) -> ActionStep | None:
        """The pending step that comes next, for as many messages as one request may name.

        Mail to protected people goes first and alone: other messages of its campaign, for which a
        budget has no room, must not keep its reserve from it.
        """
        step = next(self.pending(), None)
        return None if step is None else fit_request(step)

    def pending(self) -> Iterator[ActionStep]:
        """The pending steps in the order of the plan, each for all its messages.

        Reclassifications come last: they tell Cloudflare, and no move waits for that. A further
        part of a campaign has only the actions on single messages.
        """
        if not self.messages.events:
            return iter(())
        steps = self._pending_in_plan()
        return steps if self._part == 1 else filter(_is_of_every_part, steps)

    def _pending_in_plan(self) -> Iterator[ActionStep]:
        targets = self.messages.targets.values()
        for index, action in sorted(enumerate(self._plan.actions), key=_is_last):
            known = self.outcomes[index]
            if action.scope is Scope.MESSAGE:
                found = self.messages.search_results.get(index, ())
                among = found if action.needs_search else targets
                waiting = tuple(target for target in among if target.id not in known)
                if waiting:
                    yield ActionStep(index=index, action=action, targets=waiting)
            # Once for the case; a reclassification takes its first message.
            elif not known and not self.is_in_progress(index):
                yield ActionStep(index=index, action=action, targets=tuple(targets)[:1])

    def messages_of(self, index: int) -> tuple[Target, ...]:
        """The messages that an action may name, always in the same order: new ones come last."""
        action = self._plan.actions[index]
        if action.needs_search:
            return self.messages.search_results.get(index, ())
        return tuple(self.messages.targets.values())

    def precheck(self, step: ActionStep) -> dict[str, str]:
        """The outcomes of a step that are known without asking the API, by subject."""
        if (reason := self._plan.refusals.get(step.index)) is not None:
            return dict.fromkeys(step.subjects, failed(reason))
        return step.action.precheck(step.targets, self._handled())

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
        is_while_held = step.purpose is StepPurpose.WHILE_HELD
        return Authority(
            rule=self._plan.rule,
            # Nobody is asked, so it needs what a rule needs that enforces.
            mode=Mode.ENFORCE if is_while_held else self._plan.mode,
            while_held=is_while_held,
            actions_version=self._plan.actions_version,
            condition_versions=self.messages.conditions_of(step.targets if is_single else ()),
            oldest=min(times, default=None) if is_single else None,
            approved=step.approved,
        )

    # ---- what becomes of them

    def start(self, step: ActionStep) -> None:
        """Note that a step is being carried out."""
        self.in_progress.append(step)

    def stop(self, step: ActionStep) -> None:
        """Note that a step is not being carried out any more."""
        self.in_progress = [one for one in self.in_progress if one.index != step.index]
        self.forget_asked(step)

    def is_in_progress(self, index: int) -> bool:
        """Whether an action is being carried out, by its position."""
        return any(step.index == index for step in self.in_progress)

    def end(self, step: ActionStep, outcomes: Mapping[str, str], now: datetime) -> None:
        """Note the outcomes of a step, by subject."""
        self.stop(step)
        self.outcomes[step.index].update(outcomes)

        # Undo returns what was given back unless that is certain.
        is_given_back = step.purpose is StepPurpose.GIVE_BACK
        counted = {MOVED} if is_given_back else TOOK_EFFECT
        effective = tuple(one for one, outcome in outcomes.items() if outcome in counted)
        if effective:
            self.applied.append(AppliedAction(index=step.index, at=now, subjects=effective))
            self.spent += len(effective) if step.budget is BudgetKind.MESSAGES else 0

    # ---- what was done while the case was held

    def moved_while_held(self) -> set[str]:
        """The messages that were moved while the case was held, or may have been or be soon."""
        index = len(self._plan.actions)
        if index == len(self.outcomes):
            return set()
        ended = {one for one, outcome in self.outcomes[index].items() if outcome in TOOK_EFFECT}
        current = (step.subjects for step in self.in_progress if step.index == index)
        return ended.union(*current)

    def _handled(self) -> Collection[str]:
        """The messages that somebody else has handled.

        A later event, a report for example, shows as moved what the case itself moved while it was
        held. That must not keep the response from it.
        """
        return self.messages.handled - self.moved_while_held()

    # ---- what they spend

    def ask(self, step: ActionStep) -> None:
        """Note that the guard is asked about a step: it may have granted it already.

        A full part has no count of its own to keep: the guard counts the step itself.
        """
        self._asked = len(step.subjects) if step.budget is BudgetKind.MESSAGES else 0

    def forget_asked(self, step: ActionStep) -> None:
        """Note that the guard granted nothing."""
        if step.budget is BudgetKind.MESSAGES:
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


def fit_request(step: ActionStep) -> ActionStep:
    """Cut a step to the messages that one request may name, protected people's first and alone.

    A request needs no subjects, and hundreds of them are large.
    """
    protected = tuple(target for target in step.targets if target.protected)
    targets = step.action.in_one_request(protected or step.targets)[:MAX_MESSAGES_PER_REQUEST]
    return step.model_copy(update={"targets": tuple(one.without_texts for one in targets)})


def _is_last(item: tuple[int, Action]) -> bool:
    return item[1].budget is BudgetKind.RECLASSIFICATIONS


def _is_of_every_part(step: ActionStep) -> bool:
    return step.action.scope is Scope.MESSAGE and not step.action.needs_search
