"""Evaluates past events against one or two rule sets, and keeps what cases need of each match.

No I/O, no clock.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from clawback.cases.plan import CasePlan, Match
from clawback.correlation.sliding_window import Link, WindowEntry
from clawback.model.events import Event, source_of
from clawback.model.events.base import DETECTIONS
from clawback.model.messages import Target
from clawback.model.texts import bounded, printable
from clawback.rules import Evaluation, RuleSet
from clawback.rules.eligibility import is_mode_ignored

_MAX_TEXT = 160
_MOST_PLANS = 4096
_GONE = frozenset({"quarantined", "rejected", "bounced"})


@dataclass(slots=True)
class ReplayedMatch:
    """A match, with what its case and the report need of the event. Never changed."""

    key: str
    id: str
    at: datetime
    rule: str
    value: str | None
    links: tuple[Link, ...]
    targets: tuple[Target, ...]
    handled: bool
    sender: str
    subject: str
    verdict: str

    @property
    def mailbox(self) -> str:
        """The mailbox of its message; empty without one."""
        return (self.targets[0].mailbox or "") if self.targets else ""

    @property
    def window_entry(self) -> WindowEntry:
        """The match as correlation windows count it."""
        return WindowEntry(
            key=self.key, at=self.at, rule=self.rule, value=self.value, links=self.links
        )

    @property
    def case_match(self) -> Match:
        """The match as cases take it; it is seen when the event happened."""
        return Match(
            key=self.key,
            at=self.at,
            seen_at=self.at,
            targets=self.targets,
            handled=self.handled,
        )


class CaseMatches(NamedTuple):
    """The matches of one case id, in input order.

    Groups share a plan that differs in nothing but the group; `group` is the one of this case.
    """

    plan: CasePlan
    group: Mapping[str, str | None]
    matches: list[ReplayedMatch]


@dataclass
class Traffic:
    """Counts of the events of a backtest, and of those it left out.

    `ignored` have a delivery mode that clawback never acts on; `undecided` depend on detections
    that could not be read; `enriched` had any detections.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)
    delivered: int = 0
    repeated: int = 0
    ignored: int = 0
    undecided: int = 0
    rejected: int = 0
    enriched: int = 0

    @property
    def events(self) -> int:
        """All events."""
        return sum(self.kinds.values())


class Version:
    """One rule set, and its matches by case id."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.cases: dict[str, CaseMatches] = {}
        self._by_plan: dict[int, tuple[CasePlan, list[ReplayedMatch]]] = {}
        self._shared: dict[tuple[str, tuple[int, ...]], CasePlan] = {}

    def keep(self, event: Event, evaluation: Evaluation) -> bool:
        """Keep the matches of an event; False if clawback never acts on its delivery mode."""
        if not evaluation.matches:
            return True
        if is_mode_ignored(event, self.rules.safety.ignored_delivery_modes):
            return False

        message = event.message
        key, targets = event.key, event.targets
        sender, subject = _text(message.get("from")), _text(message.get("subject"))
        verdict = sys.intern(_verdict(event))

        for match in evaluation.matches:
            self._matches_of(match.plan).append(
                ReplayedMatch(
                    key,
                    event.id,
                    event.at,
                    match.rule,
                    match.value,
                    match.links,
                    targets,
                    event.handled,
                    sender,
                    subject,
                    verdict,
                )
            )

        return True

    def _matches_of(self, plan: CasePlan) -> list[ReplayedMatch]:
        """Find the case of a plan. The engine gives the same plan to nearly all of a group."""
        known = self._by_plan.get(id(plan))
        if known is not None:
            return known[1]

        found = self.cases.get(plan.case_id)
        if found is None:
            actions = tuple(map(id, plan.actions))
            shared = self._shared.setdefault((plan.rule, actions), plan)
            found = self.cases[plan.case_id] = CaseMatches(shared, plan.group, [])

        if len(self._by_plan) >= _MOST_PLANS:
            self._by_plan.clear()
        # The plan is kept as well: an id is that of another plan once it is gone.
        self._by_plan[id(plan)] = plan, found.matches
        return found.matches


class Backtest:
    """Takes events one by one, for all versions at once, so that history is read only once."""

    def __init__(self, versions: Sequence[RuleSet]) -> None:
        self.versions = tuple(Version(rules) for rules in versions)
        self.traffic = Traffic()
        self._known: set[int] = set()  # hashes: 64 bits are enough to tell keys apart

    def take(
        self, event: Event, detections: Mapping[str, Any] | None, *, last: bool = True
    ) -> bool:
        """Evaluate one event.

        Where a rule depends on `detections` and they are None, return False and ignore the event;
        with `last`, count it as undecided instead.
        """
        whole = event if detections is None else event.with_detections(detections)
        evaluations = [version.rules.evaluate(whole) for version in self.versions]
        if any(evaluation.undecided for evaluation in evaluations):
            if not last:
                return False
            self.traffic.undecided += 1

        key = hash(event.key)
        if key in self._known:
            self.traffic.repeated += 1
            return True

        self._known.add(key)
        self._count(whole)
        kept = [
            version.keep(event, evaluation)
            for version, evaluation in zip(self.versions, evaluations, strict=True)
        ]
        self.traffic.ignored += not all(kept)

        return True

    def _count(self, event: Event) -> None:
        self.traffic.kinds[event.kind] += 1
        self.traffic.days[event.at.date()] += 1
        self.traffic.enriched += bool(event.message.get(DETECTIONS))
        self.traffic.delivered += not source_of(event).is_joined and _is_delivered(event)


def _is_delivered(event: Event) -> bool:
    status = event.record.get("delivery_status")
    gone = (
        isinstance(status, list)
        and bool(status)
        and _GONE.issuperset(one for one in status if isinstance(one, str))
    )
    return event.record.get("is_quarantined") is not True and not gone


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return printable(bounded(value, _MAX_TEXT), replacement=" ")


def _verdict(event: Event) -> str:
    """The final disposition of the message, else what a report or submission says of it."""
    fields = source_of(event).verdict_fields
    values = (event.message.get("final_disposition"), *map(event.record.get, fields))
    return next(filter(None, map(_text, values)), "")
