"""What became of the cases of each rule, counted from the read model."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from clawback.cases import CaseState
from clawback.console.sources.read_model import ListedCase

WINDOW: Final = timedelta(days=30)
_DAY: Final = timedelta(days=1)


@dataclass
class DayCount:
    """One day (UTC) of a rule: cases that opened, by what became of them."""

    cases: int = 0
    messages: int = 0
    acted: int = 0
    denied: int = 0
    undone: int = 0


@dataclass
class RuleOutcomes:
    """The last 30 days of one rule.

    `total.acted` counts cases that changed something and were neither denied nor undone, `approved`
    those that people approved, whatever came of it. Nobody decided what `expired`.
    """

    total: DayCount = field(default_factory=DayCount)
    approved: int = 0
    expired: int = 0
    held: int = 0
    cases_of_day: int = 0
    messages_of_day: int = 0
    days: dict[date, DayCount] = field(default_factory=dict)

    @property
    def decided(self) -> int:
        """How many cases acted or were denied."""
        return self.total.acted + self.total.denied + self.total.undone

    @property
    def precision(self) -> float | None:
        """The share of decided cases that nobody denied or undid; None if none was decided."""
        return self.total.acted / self.decided if self.decided else None


def count_outcomes(cases: Iterable[ListedCase], now: datetime) -> dict[str, RuleOutcomes]:
    """Count the cases that opened in the last 30 days, by rule."""
    found: dict[str, RuleOutcomes] = {}
    for case in cases:
        if now - case.opened_at <= WINDOW:
            _count(found.setdefault(case.rule, RuleOutcomes()), case, now)
    return found


def _count(outcomes: RuleOutcomes, case: ListedCase, now: datetime) -> None:
    decision = case.decision.what if case.decision is not None else ""
    is_undone = case.undone is not None or case.state == CaseState.UNDONE
    is_denied = not is_undone and (decision == "denied" or case.state == CaseState.DENIED)
    for count in (outcomes.total, outcomes.days.setdefault(case.opened_at.date(), DayCount())):
        count.cases += 1
        count.messages += case.messages
        count.undone += is_undone
        count.denied += is_denied
        count.acted += bool(case.changed) and not is_undone and not is_denied

    outcomes.approved += decision == "approved"
    outcomes.expired += case.state == CaseState.EXPIRED
    outcomes.held += case.state == CaseState.HELD
    if now - case.opened_at <= _DAY:
        outcomes.cases_of_day += 1
        outcomes.messages_of_day += case.messages
