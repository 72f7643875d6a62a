"""What the guard would have held of simulated cases, had it begun with empty budgets. Pure.

A guard of its own decides, in the order of time, about what rules that enforce would have done.
What it holds is not spent, and nobody answers for it. Protected people and repeated blocks are left
out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from clawback.actions import Action, BudgetKind
from clawback.backtest.simulated_cases import SimulatedCase
from clawback.guard import Budgets, Guard, GuardSnapshot, Reservation
from clawback.model.mode import Mode


@dataclass(frozen=True, slots=True)
class _Step:
    """What one case would have done at one moment with one action."""

    at: datetime
    case: int
    simulated: SimulatedCase
    action: Action
    targets: tuple[str, ...]


def count_held(cases: Iterable[SimulatedCase], budgets: Budgets) -> dict[str, Counter[str]]:
    """Count, by rule and cause, the messages and entries that the guard would have held first.

    Causes are `rule_limit`, `rule_budget`, `campaign`, `share` and `surge`.
    """
    guard, spent = Guard(GuardSnapshot()), Counter[int]()
    held: dict[str, Counter[str]] = defaultdict(Counter)
    steps = [step for number, case in enumerate(cases) for step in _steps(number, case)]
    steps.sort(key=lambda step: (step.at, step.case))

    for number, step in enumerate(steps):
        reservation = _reservation(number, step, spent[step.case])
        result = guard.reserve(reservation, budgets, step.at)
        if not result.granted:
            held[step.simulated.plan.rule][str(result.cause)] += reservation.count
        elif reservation.budget is BudgetKind.MESSAGES:
            spent[step.case] += reservation.count
    return dict(held)


def _steps(number: int, case: SimulatedCase) -> Iterator[_Step]:
    if case.plan.mode is not Mode.ENFORCE:
        return
    actions = {action.name: action for action in case.plan.actions}
    targets: dict[tuple[datetime, str], list[str]] = defaultdict(list)
    for done in case.done:
        targets[done.at, done.action].append(done.target)

    for (at, name), subjects in targets.items():
        action = actions.get(name)
        # People are asked about these in any case.
        if action is not None and action.approval_reason is None:
            yield _Step(at, number, case, action, tuple(subjects))


def _reservation(number: int, step: _Step, spent: int) -> Reservation:
    plan, wanted = step.simulated.plan, set(step.targets)
    verdicts = Counter(
        target.verdict
        for match in step.simulated.matches
        for target in match.targets
        if target.verdict and target.id in wanted
    )
    return Reservation(
        id=str(number),
        rule=plan.rule,
        level=plan.level,
        budget=step.action.budget,
        count=len(step.targets),
        spent=spent,
        verdicts=verdicts,
        limits=plan.limits,
    )
