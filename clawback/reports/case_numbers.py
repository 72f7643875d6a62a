"""Counts the cases of a period by their summaries. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Final

from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases import CaseState
from clawback.cases.plan import GIVE_BACK_NAME, MOVE_WHILE_HELD
from clawback.cases.summary import CaseSummary, DecisionNote
from clawback.reports.report import PersonNumbers, RuleNumbers
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine

_MOVES: Final = ("move", MOVE_WHILE_HELD)
_NO_RESPONSE: Final = (GIVE_BACK_NAME, MOVE_WHILE_HELD)
"""What is done while people think is no decision."""


@dataclass(frozen=True, slots=True)
class CountedLine:
    """What a report needs of one line of the index: some hundred bytes of its six thousand.

    `has_acted` says that it changed something beside what it moved while it was held, `contained`
    how many messages it moved; while held and afterwards count once.
    """

    id: str
    run: str
    rule: str
    state: str
    shown_state: str
    opened_at: datetime
    is_readable: bool = False
    campaign: str = ""
    held_at: datetime | None = None
    decision: DecisionNote | None = None
    has_acted: bool = False
    contained: int = 0

    @classmethod
    def of(cls, line: CaseLine) -> "CountedLine":
        """Keep what is counted of a line."""
        summary = line.summary or CaseSummary(rule=line.rule)
        return cls(
            id=line.id,
            run=line.run,
            rule=intern(line.rule),
            state=intern(line.state),
            shown_state=intern(line.shown_state),
            opened_at=line.opened_at,
            is_readable=line.summary is not None,
            campaign=summary.campaign,
            held_at=summary.held_at,
            decision=summary.decision,
            has_acted=_has_acted(summary),
            contained=min(summary.messages, _count_moved(summary)),
        )


@dataclass(frozen=True)
class CountedCase:
    """One case with all its parts, and whether an undo of it, or of a part of it, began."""

    line: CountedLine
    parts: tuple[CountedLine, ...] = ()
    is_undone: bool = False

    @property
    def has_acted(self) -> bool:
        """Whether it changed something beside what it moved while it was held."""
        return self.line.has_acted or any(one.has_acted for one in self.parts)

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
        return self.line.contained + sum(one.contained for one in self.parts)

    @property
    def answered_after(self) -> float | None:
        """Seconds from the time it was held last to the decision; None if there is none."""
        decision, held_at = self.line.decision, self.line.held_at
        if decision is None or held_at is None:
            return None
        return max((decision.at - held_at).total_seconds(), 0.0)

    @property
    def is_held_once(self) -> bool:
        """Whether it ever waited for people."""
        return self.line.held_at is not None

    def decided_as(self, what: str) -> bool:
        """Whether the last decision about it was to approve, or to deny."""
        return self.line.decision is not None and self.line.decision.what == what


def decisions_in(
    lines: Iterable[CountedLine], since: datetime, until: datetime
) -> tuple[DecisionNote, ...]:
    """Return the last decision of each case that was decided in a period."""
    decided = {one.run: one.decision for one in lines if not names.is_part(one.id)}
    return tuple(one for one in decided.values() if one is not None and since <= one.at < until)


def _has_acted(summary: CaseSummary) -> bool:
    return any(
        outcome in TOOK_EFFECT and count
        for action in summary.outcomes
        if action.action not in _NO_RESPONSE
        for outcome, count in action.outcomes.items()
    )


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
    """The cases of a period; `unreadable` counts those whose summary cannot be read.

    `decisions` are the last ones of all cases that were decided in the period, whenever they
    opened.
    """

    cases: tuple[CountedCase, ...] = ()
    unreadable: int = 0
    decisions: tuple[DecisionNote, ...] = ()
    rules: Mapping[str, Sequence[CountedCase]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        lines: Iterable[CountedLine],
        undos: Mapping[str, datetime],
        decisions: tuple[DecisionNote, ...] = (),
    ) -> "CountedCases":
        """Join lines of the index to cases; `undos` has when the last undo of a case began."""
        heads: dict[tuple[str, str], CountedLine] = {}
        parts: dict[tuple[str, str], list[CountedLine]] = defaultdict(list)
        unreadable = 0
        for line in lines:
            unreadable += not line.is_readable
            case_id, _ = names.case_and_part(line.id)
            if names.is_part(line.id):
                parts[case_id, line.campaign].append(line)
            else:
                heads[case_id, line.run] = line

        counted, rules = [], defaultdict[str, list[CountedCase]](list)
        for (case_id, _), line in heads.items():
            undone_at = undos.get(case_id)
            is_undone = line.state == CaseState.UNDONE or (
                undone_at is not None and undone_at >= line.opened_at
            )
            own = tuple(parts[case_id, line.campaign]) if line.campaign else ()
            one = CountedCase(line, own, is_undone)
            counted.append(one)
            rules[line.rule].append(one)
        by_rule = dict(sorted(rules.items()))
        return cls(tuple(counted), unreadable, decisions, by_rule)

    def count_rules(self) -> tuple[RuleNumbers, ...]:
        """Count the cases of each rule by what became of them."""
        return tuple(_count_rule(rule, cases) for rule, cases in self.rules.items())

    def count_people(self) -> tuple[PersonNumbers, ...]:
        """Count the decisions of each person in the period, the busiest first."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for decision in self.decisions:
            for person in decision.by:
                counts[person][decision.what] += 1
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
