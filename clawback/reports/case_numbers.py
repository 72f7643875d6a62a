"""Counts cases that opened in a period by their summaries. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases import CaseState
from clawback.cases.plan import GIVE_BACK_NAME, MOVE_WHILE_HELD
from clawback.cases.summary import CaseSummary
from clawback.reports.report import PersonNumbers, RuleNumbers
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine

_MOVES: Final = ("move", MOVE_WHILE_HELD)
_NO_RESPONSE: Final = (GIVE_BACK_NAME, MOVE_WHILE_HELD)
"""What is done while people think is no decision."""


@dataclass(frozen=True)
class CountedCase:
    """One case with all its parts, and whether an undo of it, or of a part of it, began."""

    line: CaseLine
    parts: tuple[CaseLine, ...] = ()
    is_undone: bool = False

    @property
    def has_acted(self) -> bool:
        """Whether it changed something beside what it moved while it was held."""
        return any(
            outcome in TOOK_EFFECT and count
            for summary in self.summaries
            for action in summary.outcomes
            if action.action not in _NO_RESPONSE
            for outcome, count in action.outcomes.items()
        )

    @property
    def is_denied(self) -> bool:
        """Whether people denied it last."""
        return self.decided_as("denied")

    @property
    def is_expired(self) -> bool:
        """Whether it ended because nobody decided."""
        return self.line.state == CaseState.EXPIRED

    @property
    def contained(self) -> int:
        """How many messages it moved; while held and afterwards count once."""
        return sum(min(one.messages, _count_moved(one)) for one in self.summaries)

    @property
    def answered_after(self) -> float | None:
        """Seconds from the time it was held last to the decision; None if there is none."""
        summary = self.line.summary
        if summary is None or summary.decision is None or summary.held_at is None:
            return None
        return max((summary.decision.at - summary.held_at).total_seconds(), 0.0)

    @property
    def is_held_once(self) -> bool:
        """Whether it ever waited for people."""
        return self.line.summary is not None and self.line.summary.held_at is not None

    @property
    def summaries(self) -> list[CaseSummary]:
        """The summaries of its parts that can be read."""
        return [one.summary for one in (self.line, *self.parts) if one.summary is not None]

    def decided_as(self, what: str) -> bool:
        """Whether the last decision about it was to approve, or to deny."""
        decision = self.line.summary.decision if self.line.summary is not None else None
        return decision is not None and decision.what == what


def _count_moved(summary: CaseSummary) -> int:
    return sum(
        count
        for action in summary.outcomes
        if action.action in _MOVES
        for outcome, count in action.outcomes.items()
        if outcome in TOOK_EFFECT
    )


@dataclass(frozen=True)
class CountedCases:
    """The cases of a period; `unreadable` counts those whose summary cannot be read."""

    cases: tuple[CountedCase, ...] = ()
    unreadable: int = 0
    rules: Mapping[str, Sequence[CountedCase]] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[CaseLine], undos: Mapping[str, datetime]) -> "CountedCases":
        """Join lines of the index to cases; `undos` has when the last undo of a case began."""
        heads: dict[tuple[str, str], CaseLine] = {}
        parts: dict[tuple[str, str], list[CaseLine]] = defaultdict(list)
        unreadable = 0
        for line in lines:
            unreadable += line.summary is None
            case_id, _ = names.case_and_part(line.id)
            campaign = line.summary.campaign if line.summary is not None else ""
            if names.is_part(line.id):
                parts[case_id, campaign].append(line)
            else:
                heads[case_id, line.run] = line

        counted, rules = [], defaultdict[str, list[CountedCase]](list)
        for (case_id, _), line in heads.items():
            campaign = line.summary.campaign if line.summary is not None else ""
            undone_at = undos.get(case_id)
            is_undone = line.state == CaseState.UNDONE or (
                undone_at is not None and undone_at >= line.opened_at
            )
            own = tuple(parts[case_id, campaign]) if campaign else ()
            one = CountedCase(line, own, is_undone)
            counted.append(one)
            rules[line.rule].append(one)
        return cls(tuple(counted), unreadable, dict(sorted(rules.items())))

    def count_rules(self) -> tuple[RuleNumbers, ...]:
        """Count the cases of each rule by what became of them."""
        return tuple(_count_rule(rule, cases) for rule, cases in self.rules.items())

    def count_people(self) -> tuple[PersonNumbers, ...]:
        """Count the decisions of each person, the busiest first."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for case in self.cases:
            if case.line.summary is not None and case.line.summary.decision is not None:
                for person in case.line.summary.decision.by:
                    counts[person][case.line.summary.decision.what] += 1
        busiest = sorted(counts.items(), key=lambda one: (-one[1].total(), one[0]))
        return tuple(
            PersonNumbers(person=person, approved=count["approved"], denied=count["denied"])
            for person, count in busiest
        )


def _count_rule(rule: str, cases: Sequence[CountedCase]) -> RuleNumbers:
    decided = [one for one in cases if one.has_acted or one.is_denied]
    return RuleNumbers(
        rule=rule,
        cases=len(cases),
        acted=sum(one.has_acted for one in cases),
        denied=sum(one.is_denied for one in cases),
        expired=sum(one.is_expired for one in cases),
        undone=sum(one.is_undone for one in cases),
        decided=len(decided),
        right=sum(not (one.is_denied or one.is_undone) for one in decided),
    )
