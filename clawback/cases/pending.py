"""What of a plan is still to be done: the acts that are left, and what of them nobody knows yet. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from clawback.actions import BulkMove, Scope
from clawback.cases.foregone import foregone
from clawback.cases.plan import CasePlan
from clawback.cases.state import Act, Search
from clawback.events import Target

Found = Mapping[int, Sequence[Target]]
"""What the searches of a plan have found, by the position of the action."""


def search_due(plan: CasePlan, found: Found) -> Search | None:
    """The next search that must be made before anything is decided: what it finds is part of what people agree to."""
    due = (Search(index=index, action=action) for index, action in enumerate(plan.actions) if isinstance(action, BulkMove))
    return next((search for search in due if search.index not in found), None)


def pending_acts(
    plan: CasePlan, outcomes: Sequence[Mapping[str, str]], targets: Mapping[str, Target], found: Found, most: int
) -> Iterator[Act]:
    """The acts that are left, each for at most so many messages."""
    for index, (action, done) in enumerate(zip(plan.actions, outcomes, strict=True)):
        if action.scope is Scope.MESSAGE:
            among = found.get(index, ()) if isinstance(action, BulkMove) else targets.values()
            waiting = [target for target in among if target.id not in done][:most]
            if waiting:
                yield Act(index=index, action=action, targets=tuple(waiting))
        elif not done:
            yield Act(index=index, action=action, targets=tuple(targets.values())[:1])


def undecided(acts: Iterable[Act], plan: CasePlan, handled: Collection[str]) -> Iterator[Act]:
    """The same without what is certain beforehand."""
    for act in acts:
        certain = foregone(act, plan, handled)
        left = tuple(target for target in act.targets if target.id not in certain)
        if not certain or left:
            yield act.model_copy(update={"targets": left})
