"""Rules in each other's way.

One that another makes superfluous, and two that would do opposite things to the same message.

Whether an event can match two rules is shown by an event: one of their tests, or one that is made
up and then evaluated. Pairs for which neither is found are not reported.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from clawback.actions import BaseAction, Conflict
from clawback.model.events import Event, EventKind
from clawback.model.mode import Mode
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.engine.sample_events import build_test_event
from clawback.rules.lint.satisfiability import can_hold, implies
from clawback.rules.source.condition import Node
from clawback.rules.source.documents import EventTest
from clawback.rules.source.errors import Code, Place, Problems, Severity

_MOST_PAIRS = 2_000
_STRENGTH = {mode: strength for strength, mode in enumerate(Mode)}


def check_conflicts(rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
    """Compare the rules of a set that loads; `places` says where to report each."""
    quarrels = _Quarrels(rules, places, found)
    quarrels.check_shadows()
    quarrels.check_twins()
    quarrels.check_contradictions()


@dataclass(frozen=True, slots=True)
class _Acting:
    """A rule that responds, with the conditions any of which brings an event to it, and events that do."""

    rule: Rule
    kind: EventKind
    trees: tuple[Node, ...]
    events: tuple[Event, ...]

    @property
    def actions(self) -> tuple[BaseAction, ...]:
        return (
            (*self.rule.response.actions, *self.rule.response.notifications)
            if self.rule.response is not None
            else ()
        )

    @property
    def acts(self) -> bool:
        return self.rule.mode is not Mode.SHADOW


class _Quarrels:
    def __init__(self, rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
        self._rules = rules
        self._places = places
        self._found = found
        self._acting = {one.rule.name: one for one in _acting(rules)}
        self._order = {name: index for index, name in enumerate(rules.rules)}

    # ---- superfluous rules

    def check_shadows(self) -> None:
        """Find rules all of whose events another one takes, doing the same and no less firmly."""
        shadowed: set[str] = set()
        for name, one in self._acting.items():
            for other in self._companions(one):
                if other.rule.name not in shadowed and self._is_shadowed(one, other):
                    shadowed.add(name)
                    self._report_shadow(
                        one.rule, other.rule, "every event that it matches is matched by"
                    )
                    break

    def _companions(self, one: _Acting) -> list[_Acting]:
        """The other plain rules that match what a plain rule's own tests say it matches."""
        if one.rule.tree is None:
            return []
        names = {
            match.plan.rule
            for event in one.events
            for match in self._rules.evaluate(event).matches
            if match.rule == match.plan.rule
        }
        return [
            self._acting[name]
            for name in sorted(names - {one.rule.name}, key=self._order.__getitem__)
        ]

    def _is_shadowed(self, one: _Acting, other: _Acting) -> bool:
        (tree,), (wider,) = one.trees, other.trees
        weaker = (
            one.rule.mode is None
            or other.rule.mode is None
            or _STRENGTH[one.rule.mode] <= _STRENGTH[other.rule.mode]
        )
        return (
            weaker
            and set(one.actions) <= set(other.actions)
            and implies(one.kind, tree, wider, self._rules.today())
        )

    def check_twins(self) -> None:
        """Find correlations that wait for the same and do the same."""
        seen: dict[Any, Rule] = {}
        for name, rule in self._rules.rules.items():
            if rule.correlation is not None and rule.response is not None:
                waits = repr((rule.correlation, rule.response.actions, rule.response.notifications))
                first = seen.setdefault(waits, rule)
                if first.name != name:
                    self._report_shadow(rule, first, "it waits for the same as")

    def _report_shadow(self, rule: Rule, other: Rule, relation: str) -> None:
        message = f"{relation} {other.name} ({other.path}:{other.line}), which does the same"
        remedy = "remove it, or let it do something else"
        self._found.add(
            self._places[rule.name],
            Code.SHADOWED,
            message,
            text=rule.name,
            remedy=remedy,
            severity=Severity.WARNING,
        )

    # ---- contradictory rules

    def check_contradictions(self) -> None:
        """Find two rules that would do opposite things to one message, or take it to two places.

        One report a rule and severity.
        """
        shared = self._shared_events()
        first: dict[tuple[str, Severity], tuple[_Acting, _Acting, _Clash, Mapping[str, Any]]] = {}
        others: Counter[tuple[str, Severity]] = Counter()
        for compared, (one, other, clash) in enumerate(self._clashing()):
            event = shared.get((one.rule.name, other.rule.name))
            if event is None and compared < _MOST_PAIRS:
                event = _made_up(one, other, self._rules)
            if event is not None:
                first.setdefault((one.rule.name, clash.severity), (one, other, clash, event))
                others[one.rule.name, clash.severity] += 1
        for key, found in first.items():
            self._report_clash(*found, others[key] - 1)

    def _clashing(self) -> Iterator[tuple[_Acting, _Acting, "_Clash"]]:
        """Give the pairs that do not go together, in the order of the set.

        Rules that do the same are compared with others once.
        """
        numbers: dict[Any, int] = {}
        told = {
            name: numbers.setdefault((one.kind, one.actions, one.acts), len(numbers))
            for name, one in self._acting.items()
        }
        known: dict[tuple[int, int], _Clash | None] = {}
        for (name, one), (second, other) in combinations(self._acting.items(), 2):
            pair = (told[name], told[second])
            if pair not in known:
                known[pair] = _clash(one, other) if one.kind is other.kind else None
            if (clash := known[pair]) is not None:
                yield one, other, clash

    def _shared_events(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Find the pairs of rules, in the order of the set, that both match an event of a test."""
        shared: dict[tuple[str, str], Mapping[str, Any]] = {}
        for one in self._acting.values():
            for event in one.events:
                names = {
                    match.plan.rule for match in self._rules.evaluate(event).matches
                } & self._acting.keys()
                for pair in combinations(sorted(names, key=self._order.__getitem__), 2):
                    shared.setdefault(
                        pair, {key: value for key, value in event.record.items() if value}
                    )
        return shared

    def _report_clash(
        self, one: _Acting, other: _Acting, clash: "_Clash", event: Mapping[str, Any], more: int
    ) -> None:
        also = f" (and so with {more} other rules)" if more else ""
        message = f"{clash.said} the message that {other.rule.name} ({other.rule.path}:{other.rule.line}) {clash.otherwise}{also}"
        shown = json.dumps(event, ensure_ascii=False, sort_keys=True)[:200]
        remedy = f"except the events of one from the other; both match {shown}"
        place, name = self._places[one.rule.name], one.rule.name
        self._found.add(
            place, Code.CONTRADICTORY, message, text=name, remedy=remedy, severity=clash.severity
        )


def _acting(rules: RuleSet) -> Iterator[_Acting]:
    for rule in rules.rules.values():
        if rule.response is not None and rule.kinds:
            sources = [rules.rules[name] for name in rules.leaves(rule)]
            trees = tuple(
                source.tree
                for source in sources
                if source.tree is not None and source.kinds[0] is rule.kinds[0]
            )
            if trees:
                yield _Acting(rule, rule.kinds[0], trees, tuple(_positive(rule)))


def _positive(rule: Rule) -> Iterator[Event]:
    for number, test in enumerate(rule.tests):
        if isinstance(test, EventTest) and test.expect == "match":
            event = build_test_event(rule.kinds[0], test.event, number)
            yield event if "detections" in event.record else event.with_detections({})


# ---- what contradicts what


@dataclass(frozen=True, slots=True)
class _Clash:
    severity: Severity
    said: str
    otherwise: str


def _clash(one: _Acting, other: _Acting) -> _Clash | None:
    """Say how what two rules do contradicts.

    Rules that only shadow may disagree on where to, but not on whether.
    """
    both_act = one.acts and other.acts
    for first, second in ((a, b) for a in one.actions for b in other.actions):
        conflict = first.conflict_with(second)
        if conflict is Conflict.OPPOSITE or (conflict is Conflict.DIVERGENT and both_act):
            is_error = conflict is Conflict.OPPOSITE and both_act
            severity = Severity.ERROR if is_error else Severity.WARNING
            return _Clash(severity, f"it would {first.describe()}", f"would {second.describe()}")
    return None


def _made_up(one: _Acting, other: _Acting, rules: RuleSet) -> Mapping[str, Any] | None:
    """Make up an event that both rules match."""
    pairs = ((tree, another) for tree in one.trees for another in other.trees)
    verdicts = (
        can_hold(one.kind, (tree, True), (another, True), today=rules.today())
        for tree, another in pairs
    )
    record = next((verdict.record for verdict in verdicts if verdict.record is not None), None)
    return {key: value for key, value in record.items() if value} if record is not None else None
