"""What the budgets of a case have left, now and after an approval."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clawback.actions import BudgetKind
from clawback.case_files.case_file import RESERVE, CaseFile
from clawback.model.durations import format_duration


@dataclass(frozen=True)
class BudgetRow:
    """One budget: whose, how much of it is spent, and how much would be."""

    whose: str
    most: str
    spent: str
    after: str
    text: str
    is_over: bool


def build_budgets(file: CaseFile, now: datetime) -> tuple[BudgetRow, ...]:
    """Build the rows of all budgets that apply to a case."""
    return tuple(_rows(file, now))


def _rows(file: CaseFile, now: datetime) -> Iterator[BudgetRow]:
    for whose, limit, spent in file.budget(now):
        cost = _cost(file, limit.kind, protected=whose == RESERVE)
        after, label = spent + cost, limit.kind.label
        window = format_duration(limit.per)
        text = f"{spent:,} of {limit.most:,} {label} per {window} of {whose}"
        if cost:
            text = f"{after:,} of {limit.most:,} {label} per {window} of {whose} (now {spent:,})"
        yield BudgetRow(
            whose=whose,
            most=str(max(limit.most, 1)),
            spent=str(min(spent, limit.most)),
            after=str(min(after, limit.most)),
            text=text,
            is_over=after > limit.most,
        )


def _cost(file: CaseFile, kind: BudgetKind, *, protected: bool) -> int:
    """How much of a budget an approval takes at most."""
    memory, proposal = file.case.snapshot, file.proposal
    if memory is None or proposal is None:
        return 0
    cost = 0
    for index, action in enumerate(file.plan.actions):
        if action.budget is not kind:
            continue
        done = memory.outcomes[index] if index < len(memory.outcomes) else {}
        every = [one for id_ in proposal.messages if (one := memory.target(id_)) is not None]
        targets = [one for one in every if one.protected or not protected]
        if not targets:
            continue
        subjects = action.subjects(targets)
        # Parts of a campaign that are only counted have no messages here.
        uncounted = 0 if protected or len(subjects) == 1 else len(proposal.messages) - len(every)
        cost += sum(subject not in done for subject in subjects) + uncounted
    return cost
