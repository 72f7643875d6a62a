"""Which clauses of a rule to trust: what people decided about cases in which each was true."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clawback.cases.clauses import identify_clause
from clawback.console.sources.read_model import ListedCase

WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True)
class ClauseScores:
    """Decisions about the cases of one rule, by the clauses that were true in them.

    `decided` counts the cases with a decision. One that was undone later is in `undone` as well.
    """

    decided: int = 0
    approved: Mapping[str, int] = field(default_factory=Counter)
    denied: Mapping[str, int] = field(default_factory=Counter)
    undone: Mapping[str, int] = field(default_factory=Counter)

    def describe(self, reason: str) -> str:
        """Say how often the clause of a reason was true, and what people decided then."""
        if not self.decided:
            return ""
        clause = identify_clause(reason)
        undone = self.undone[clause]
        taken_back = f" ({undone:,} of them undone)" if undone else ""
        return (
            f"true in {self.approved[clause]:,} approved{taken_back} and {self.denied[clause]:,} "
            f"denied cases of this rule in {WINDOW.days} days"
        )


def score_clauses(rule: str, others: Iterable[ListedCase], now: datetime) -> ClauseScores:
    """Count what people decided in the last 30 days about other cases of a rule."""
    decided, approved, denied, undone = 0, Counter[str](), Counter[str](), Counter[str]()
    for case in others:
        note = case.decision
        if case.rule != rule or note is None or now - note.at > WINDOW:
            continue
        clauses = case.clauses.split()
        decided += 1
        (approved if note.what == "approved" else denied).update(clauses)
        if case.undone is not None and note.what == "approved":
            undone.update(clauses)
    return ClauseScores(decided, approved, denied, undone)
