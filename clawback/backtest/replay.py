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
from clawback.model.events import Enrichment, Event, EventKind, source_of
from clawback.model.messages import Target
from clawback.model.sender_history import SenderHistory, sender_of
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
    values: tuple[str, ...]
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
            key=self.key, at=self.at, rule=self.rule, values=self.values, links=self.links
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
                    match.values,
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


class Senders:
    """What each sender sent, as the history of senders that rules ask for."""

    def __init__(self) -> None:
        self._histories: dict[str, SenderHistory] = {}

    def add(self, event: Event) -> None:
        """Note an event if it is a message."""
        if event.kind is EventKind.MESSAGE and (sender := sender_of(event.record)) is not None:
            self._histories.setdefault(sender, SenderHistory()).add(event.record, event.at)

    def history_of(self, event: Event) -> Mapping[str, Any]:
        """Give the fields below `history` of an event, as of its message; none without a sender."""
        sender = sender_of(event.message)
        if sender is None or not event.targets:
            return {}
        history = self._histories.get(sender, SenderHistory())
        return history.summarize(event.message, event.targets[0].at)


class Backtest:
    """Takes events one by one, for all versions at once, so that history is read only once.

    If a rule asks for the history of senders, it is what the taken messages tell: every message is
    noted, and events that depend on it are evaluated in `finish`.
    """

    def __init__(self, versions: Sequence[RuleSet]) -> None:
        self.versions = tuple(Version(rules) for rules in versions)
        self.traffic = Traffic()
        self._known: set[int] = set()  # hashes: 64 bits are enough to tell keys apart
        asked = frozenset[Enrichment]().union(*(rules.enrichments for rules in versions))
        self._senders = Senders() if Enrichment.HISTORY in asked else None
        self._waiting: list[Event] = []

    def take(
        self, event: Event, detections: Mapping[str, Any] | None, *, last: bool = True
    ) -> bool:
        """Evaluate one event.

        Where a rule depends on `detections` and they are None, return False and ignore the event;
        with `last`, count it as undecided instead.
        """
        whole = event if detections is None else event.with_detections(detections)
        evaluations = self._evaluate(whole)
        missing = self._missing(whole) if any(one.undecided for one in evaluations) else ()
        if Enrichment.DETECTIONS in missing and not last:
            return False

        key = hash(event.key)
        if key in self._known:
            self.traffic.repeated += 1
            return True

        self._known.add(key)
        self._count(whole)
        if self._senders is not None:
            self._senders.add(event)

        if Enrichment.HISTORY in missing:
            self._waiting.append(whole)
        else:
            self._keep(event, evaluations)
        return True

    def finish(self) -> None:
        """Evaluate the events that waited for the history of their senders."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            history = self._senders.history_of(event) if self._senders is not None else {}
            self._keep(event, self._evaluate(event.enriched(Enrichment.HISTORY, history)))

    def _evaluate(self, event: Event) -> list[Evaluation]:
        return [version.rules.evaluate(event) for version in self.versions]

    def _missing(self, event: Event) -> frozenset[Enrichment]:
        """Give what the versions would read next of an event."""
        found = (version.rules.missing_enrichment(event) for version in self.versions)
        return frozenset(one for one in found if one is not None)

    def _keep(self, event: Event, evaluations: Sequence[Evaluation]) -> None:
        self.traffic.undecided += any(one.undecided for one in evaluations)
        kept = [
            version.keep(event, evaluation)
            for version, evaluation in zip(self.versions, evaluations, strict=True)
        ]
        self.traffic.ignored += not all(kept)

    def _count(self, event: Event) -> None:
        self.traffic.kinds[event.kind] += 1
        self.traffic.days[event.at.date()] += 1
        self.traffic.enriched += bool(event.message.get(Enrichment.DETECTIONS))
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
