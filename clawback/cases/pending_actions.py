"""What of a plan is still to be done: the acts that are left, and what of them nobody knows yet.

Pure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from clawback.actions import BulkMove, Scope
from clawback.cases.plan import CasePlan
from clawback.cases.precheck import precheck
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
        if isinstance(action, BulkMove)
    )
    return next((search for search in due if search.index not in found), None)


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
            among = found.get(index, ()) if isinstance(action, BulkMove) else targets.values()
            waiting = [target for target in among if target.id not in done][:most]
            if waiting:
                yield ActionStep(index=index, action=action, targets=tuple(waiting))
        elif not done:
            yield ActionStep(index=index, action=action, targets=tuple(targets.values())[:1])


def undecided(
    acts: Iterable[ActionStep], plan: CasePlan, handled: Collection[str]
) -> Iterator[ActionStep]:
    """The same without what is certain beforehand."""
    for act in acts:
        certain = precheck(act, plan, handled)
        left = tuple(target for target in act.targets if target.id not in certain)
        if not certain or left:
            yield act.model_copy(update={"targets": left})
