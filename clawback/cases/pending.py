"""Which steps of a plan are still pending, and which of their outcomes are known already."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from clawback.actions import Scope
from clawback.actions.outcomes import failed
from clawback.cases.plan import CasePlan
from clawback.cases.state import ActionStep, SearchStep
from clawback.model.messages import Target

SearchResults = Mapping[int, Sequence[Target]]
"""What the searches of a plan found, by the position of the action."""


def due_search(plan: CasePlan, results: SearchResults) -> SearchStep | None:
    """The next search. Searches come first: what they find is part of what people approve."""
    due = (
        SearchStep(index=index, action=action)
        for index, action in enumerate(plan.actions)
        if action.needs_search and index not in results
    )
    return next(due, None)


def pending_steps(
    plan: CasePlan,
    outcomes: Sequence[Mapping[str, str]],
    targets: Mapping[str, Target],
    results: SearchResults,
    most: int,
) -> Iterator[ActionStep]:
    """The pending steps in the order of the plan, each for at most `most` messages."""
    for index, (action, known) in enumerate(zip(plan.actions, outcomes, strict=True)):
        if action.scope is Scope.MESSAGE:
            among = results.get(index, ()) if action.needs_search else targets.values()
            waiting = tuple(target for target in among if target.id not in known)[:most]
            if waiting:
                yield ActionStep(index=index, action=action, targets=waiting)
        # Once for the case; a reclassification takes its first message.
        elif not known:
            yield ActionStep(index=index, action=action, targets=tuple(targets.values())[:1])


def precheck(step: ActionStep, plan: CasePlan, handled: Collection[str]) -> dict[str, str]:
    """The outcomes of a step that are known without asking the API, by subject."""
    if (reason := plan.refusals.get(step.index)) is not None:
        return dict.fromkeys(step.subjects, failed(reason))
    return step.action.precheck(step.targets, handled)


def without_known(
    steps: Iterable[ActionStep], plan: CasePlan, handled: Collection[str]
) -> Iterator[ActionStep]:
    """The steps without the messages whose outcome is known."""
    for step in steps:
        known = precheck(step, plan, handled)
        targets = tuple(target for target in step.targets if target.id not in known)
        if not known or targets:
            yield step.model_copy(update={"targets": targets})
