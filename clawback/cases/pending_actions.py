"""What of a plan is still to be done: the acts that are left, and what of them nobody knows yet.

Pure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from clawback.actions import Scope
from clawback.actions.outcomes import failed
from clawback.cases.plan import CasePlan
from clawback.cases.state import ActionStep, SearchStep
from clawback.model.messages import Target

Found = Mapping[int, Sequence[Target]]
"""What the searches of a plan have found, by the position of the action."""


def search_due(plan: CasePlan, found: Found) -> SearchStep | None:
    """The next search that must be made before anything is decided.

    What it finds is part of what people agree to.
    """
    due = (
        SearchStep(index=index, action=action)
        for index, action in enumerate(plan.actions)
        if action.needs_search and index not in found
    )
    return next(due, None)


def pending_acts(
    plan: CasePlan,
    outcomes: Sequence[Mapping[str, str]],
    targets: Mapping[str, Target],
    found: Found,
    most: int,
) -> Iterator[ActionStep]:
    """The acts that are left, each for at most so many messages."""
    for index, (action, done) in enumerate(zip(plan.actions, outcomes, strict=True)):
        if action.scope is Scope.MESSAGE:
            among = found.get(index, ()) if action.needs_search else targets.values()
            waiting = [target for target in among if target.id not in done][:most]
            if waiting:
                yield ActionStep(index=index, action=action, targets=tuple(waiting))
        elif not done:
            yield ActionStep(index=index, action=action, targets=tuple(targets.values())[:1])


def precheck(step: ActionStep, plan: CasePlan, handled: Collection[str]) -> dict[str, str]:
    """The outcomes of a step that are known without asking the API, by subject."""
    if (reason := plan.refusals.get(step.index)) is not None:
        return dict.fromkeys(step.subjects, failed(reason))
    return step.action.precheck(step.targets, handled)


def undecided(
    acts: Iterable[ActionStep], plan: CasePlan, handled: Collection[str]
) -> Iterator[ActionStep]:
    """The same without what is certain beforehand."""
    for act in acts:
        certain = precheck(act, plan, handled)
        left = tuple(target for target in act.targets if target.id not in certain)
        if not certain or left:
            yield act.model_copy(update={"targets": left})
