"""Finds rules that conflict: redundant ones, and pairs with opposite actions on one message.

A conflict is reported only with an event that matches both rules: one of their tests, or one that
the satisfiability check constructs.
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
_LONGEST_EXAMPLE = 200
_STRENGTH = {mode: strength for strength, mode in enumerate(Mode)}


def check_conflicts(rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
    """Compare all rules of a set; `places` says where to report each."""
    checker = _ConflictChecker(rules, places, found)
    checker.check_redundant_rules()
    checker.check_equal_correlations()
    checker.check_opposite_actions()


@dataclass(frozen=True, slots=True)
class _Responding:
    """A rule with a response, the conditions that lead to it, and its tests that match."""

    rule: Rule
    kind: EventKind
    trees: tuple[Node, ...]
    events: tuple[Event, ...]

    @property
    def actions(self) -> tuple[BaseAction, ...]:
        response = self.rule.response
        return (*response.actions, *response.notifications) if response is not None else ()

    @property
    def is_active(self) -> bool:
        return self.rule.mode is not Mode.SHADOW


@dataclass(frozen=True, slots=True)
class _ActionConflict:
    """Two actions that contradict each other, in words: `move to …`."""

    severity: Severity
    action: str
    other: str


class _ConflictChecker:
    def __init__(self, rules: RuleSet, places: Mapping[str, Place], found: Problems) -> None:
        self._rules = rules
        self._places = places
        self._found = found
        self._responding = {one.rule.name: one for one in _responding_rules(rules)}
        self._order = {name: index for index, name in enumerate(rules.rules)}

    # ---- redundant rules

    def check_redundant_rules(self) -> None:
        """Find rules whose events all match another rule that does the same in no weaker mode."""
        redundant: set[str] = set()
        for name, one in self._responding.items():
            for other in self._rules_for_same_tests(one):
                if other.rule.name not in redundant and self._is_redundant(one, other):
                    redundant.add(name)
                    self._report_redundant(
                        one.rule, other.rule, "every event it matches also matches"
                    )
                    break

    def _rules_for_same_tests(self, one: _Responding) -> list[_Responding]:
        """Give the other rules on single events that match the positive tests of this one."""
        if one.rule.tree is None:
            return []

        names = {
            match.plan.rule
            for event in one.events
            for match in self._rules.evaluate(event).matches
            if match.rule == match.plan.rule
        }
        others = sorted(names - {one.rule.name}, key=self._order.__getitem__)
        return [self._responding[name] for name in others]

    def _is_redundant(self, one: _Responding, other: _Responding) -> bool:
        (tree,), (wider,) = one.trees, other.trees
        first, second = one.rule.mode, other.rule.mode
        is_weaker = first is None or second is None or _STRENGTH[first] <= _STRENGTH[second]

        return (
            is_weaker
            and set(one.actions) <= set(other.actions)
            and implies(one.kind, tree, wider, self._rules.today())
        )

    def check_equal_correlations(self) -> None:
        """Find correlations that wait for the same and do the same."""
        seen: dict[str, Rule] = {}
        for rule in self._rules.rules.values():
            if rule.correlation is not None and rule.response is not None:
                response = rule.response
                key = repr((rule.correlation, response.actions, response.notifications))
                first = seen.setdefault(key, rule)
                if first is not rule:
                    self._report_redundant(rule, first, "it waits for the same as")

    def _report_redundant(self, rule: Rule, other: Rule, relation: str) -> None:
        self._found.add(
            self._places[rule.name],
            Code.SHADOWED,
            f"{relation} {other.name} ({other.path}:{other.line}), which does the same",
            text=rule.name,
            remedy="remove it, or change what it does",
            severity=Severity.WARNING,
        )

    # ---- opposite actions

    def check_opposite_actions(self) -> None:
        """Find pairs of rules that do opposite things to one message, or move it to two places.

        Reports one pair for each rule and severity, with the number of others.
        """
        shared = self._events_of_both()
        first: dict[
            tuple[str, Severity],
            tuple[_Responding, _Responding, _ActionConflict, Mapping[str, Any]],
        ] = {}
        counts: Counter[tuple[str, Severity]] = Counter()

        for number, (one, other, conflict) in enumerate(self._conflicting_pairs()):
            event = shared.get((one.rule.name, other.rule.name))
            # Constructing an event is expensive: beyond so many pairs, only the tests count.
            if event is None and number < _MOST_PAIRS:
                event = _construct_event(one, other, self._rules)

            if event is not None:
                key = (one.rule.name, conflict.severity)
                first.setdefault(key, (one, other, conflict, event))
                counts[key] += 1

        for key, found in first.items():
            self._report_conflict(*found, counts[key] - 1)

    def _conflicting_pairs(self) -> Iterator[tuple[_Responding, _Responding, _ActionConflict]]:
        """Give the pairs of rules with conflicting actions, in the order of the set.

        Actions are compared once for all rules that have the same.
        """
        numbers: dict[Any, int] = {}
        groups = {
            name: numbers.setdefault((one.kind, one.actions, one.is_active), len(numbers))
            for name, one in self._responding.items()
        }
        known: dict[tuple[int, int], _ActionConflict | None] = {}

        for (name, one), (other_name, other) in combinations(self._responding.items(), 2):
            pair = (groups[name], groups[other_name])
            if pair not in known:
                known[pair] = _compare_actions(one, other) if one.kind is other.kind else None
            if (conflict := known[pair]) is not None:
                yield one, other, conflict

    def _events_of_both(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Give the pairs of rules that match the event of one test, with that event."""
        shared: dict[tuple[str, str], Mapping[str, Any]] = {}
        for one in self._responding.values():
            for event in one.events:
                matching = {match.plan.rule for match in self._rules.evaluate(event).matches}
                names = sorted(matching & self._responding.keys(), key=self._order.__getitem__)
                for pair in combinations(names, 2):
                    shared.setdefault(pair, _drop_empty(event.record))

        return shared

    def _report_conflict(
        self,
        one: _Responding,
        other: _Responding,
        conflict: _ActionConflict,
        event: Mapping[str, Any],
        more: int,
    ) -> None:
        rule = other.rule
        place = f"{rule.name} ({rule.path}:{rule.line})"
        message = f"it would {conflict.action}; {place} would {conflict.other} the same message"
        if more:
            message += f" (and {more} other rules likewise)"

        example = json.dumps(event, ensure_ascii=False, sort_keys=True)[:_LONGEST_EXAMPLE]
        self._found.add(
            self._places[one.rule.name],
            Code.CONTRADICTORY,
            message,
            text=one.rule.name,
            remedy=f"exclude the events of one rule from the other; both match {example}",
            severity=conflict.severity,
        )


def _responding_rules(rules: RuleSet) -> Iterator[_Responding]:
    for rule in rules.rules.values():
        if rule.response is None or not rule.kinds:
            continue

        leaves = [rules.rules[name] for name in rules.leaves(rule)]
        trees = tuple(
            leaf.tree for leaf in leaves if leaf.tree is not None and leaf.kinds[0] is rule.kinds[0]
        )
        if trees:
            yield _Responding(rule, rule.kinds[0], trees, tuple(_matching_tests(rule)))


def _matching_tests(rule: Rule) -> Iterator[Event]:
    for number, test in enumerate(rule.tests):
        if isinstance(test, EventTest) and test.expect == "match":
            event = build_test_event(rule.kinds[0], test.event, number)
            yield event if "detections" in event.record else event.with_detections({})


def _compare_actions(one: _Responding, other: _Responding) -> _ActionConflict | None:
    """Find the first conflict; rules in shadow may differ in the target of an action."""
    are_active = one.is_active and other.is_active
    for first, second in ((a, b) for a in one.actions for b in other.actions):
        conflict = first.conflict_with(second)
        if conflict is Conflict.OPPOSITE or (conflict is Conflict.DIVERGENT and are_active):
            is_error = conflict is Conflict.OPPOSITE and are_active
            severity = Severity.ERROR if is_error else Severity.WARNING
            return _ActionConflict(severity, first.describe(), second.describe())

    return None


def _construct_event(
    one: _Responding, other: _Responding, rules: RuleSet
) -> Mapping[str, Any] | None:
    """Construct an event that matches both rules; None if none is found."""
    for tree in one.trees:
        for another in other.trees:
            goals = ((tree, True), (another, True))
            record = can_hold(one.kind, *goals, today=rules.today()).record
            if record is not None:
                return _drop_empty(record)

    return None


def _drop_empty(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in record.items() if value}
