"""Which parts of a rule's condition its tests never make true, or never make false.

Pure: the same predicates as for mail.

A part is a selection, a branch of the condition above the selections, or an alternative within a
selection. A rule that a correlation refers to is also tested by the correlation's tests. Exceptions
belong to no one rule: one test of any rule is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clawback.model.events import Event
from clawback.rules.engine.compiler import compile_node
from clawback.rules.engine.explanation import EXCEPTION
from clawback.rules.engine.ruleset import Filter, Rule, RuleSet
from clawback.rules.source.condition import And, ExpiredAfter, Leaf, Named, Node, Not, Or
from clawback.rules.tools.testing import events_of, settled

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a condition (`selection`, `branch`, `alternative`, `exception`), and which answers some test gave it."""

    kind: str
    text: str
    made_true: bool
    made_false: bool

    @property
    def gap(self) -> str:
        """What no test does, in words; empty where there is none."""
        never = [
            answer
            for answer, made in (("true", self.made_true), ("false", self.made_false))
            if not made
        ]
        return f"{self.kind} {self.text} is never {' and never '.join(never)}" if never else ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts of one rule, or of one exception, by the events of all tests that concern it."""

    name: str
    path: str
    line: int
    tests: int
    parts: tuple[Part, ...]

    @property
    def gaps(self) -> tuple[str, ...]:
        """What no test does."""
        return tuple(part.gap for part in self.parts if part.gap)

    @property
    def share(self) -> float:
        """How many of the answers (two for each part) some test gives, from 0 to 1."""
        made = sum(part.made_true + part.made_false for part in self.parts)
        return made / (2 * len(self.parts)) if self.parts else 1.0


def measure_coverage(rules: RuleSet) -> list[Coverage]:
    """Measure every rule that has a condition, then every exception."""
    tested = _tested(rules)
    measured = [
        _of_rule(rules, rule, tested[rule.name])
        for rule in rules.rules.values()
        if rule.tree is not None
    ]
    return [*measured, *(_of_filter(rules, one, tested) for one in rules.filters)]


def _tested(rules: RuleSet) -> Mapping[str, list[list[Event]]]:
    """Give for each rule with a condition its tests, each as its events.

    A correlation's tests count for the rules it refers to.
    """
    tested: dict[str, list[list[Event]]] = {name: [] for name in rules.rules}
    for rule in rules.rules.values():
        for test in rule.tests:
            events = [settled(rules, event) for event in events_of(rule, test)]
            for name in rules.leaves(rule):
                tested[name].append(
                    [event for event in events if event.kind in rules.rules[name].kinds]
                )
    return tested


def _of_rule(rules: RuleSet, rule: Rule, tests: Sequence[Sequence[Event]]) -> Coverage:
    events = [event for test in tests for event in test]
    parts = _parts(rule.tree, rules, events) if rule.tree is not None else ()
    return Coverage(rule.name, rule.path, rule.line, len(tests), tuple(dict.fromkeys(parts)))


def _of_filter(rules: RuleSet, one: Filter, tested: Mapping[str, list[list[Event]]]) -> Coverage:
    names = one.rules or tuple(
        name
        for name, rule in rules.rules.items()
        if one.kind in rule.kinds and rule.tree is not None
    )
    tests = [test for name in names for test in tested.get(name, ())]
    events = [event for test in tests for event in test]
    applies = _part(
        "exception", f"{one.name} (false: it excepts the event)", one.tree, rules, events
    )
    return Coverage(one.name, one.path, one.line, len(tests), (applies,))


def _parts(node: Node, rules: RuleSet, events: Sequence[Event]) -> Iterator[Part]:
    match node:
        case Named():
            if not node.name.startswith(EXCEPTION):
                yield _part("selection", node.name, node, rules, events)
                yield from _alternatives(node.child, node.name, rules, events)
        case And() | Or():
            children = [child for child in node.children if not _is_exception(child)]
            if len(children) > 1:
                shown = type(node)(tuple(children))
                yield _part("branch", word_node(shown), shown, rules, events)
            for child in children:
                yield from _parts(child, rules, events)
        case Not():
            yield from _parts(node.child, rules, events)
        case Leaf() | ExpiredAfter():
            return


def _alternatives(node: Node, name: str, rules: RuleSet, events: Sequence[Event]) -> Iterator[Part]:
    for child in node.children if isinstance(node, Or) else ():
        yield _part("alternative", f"{word_node(child)} of {name}", child, rules, events)


def _is_exception(node: Node) -> bool:
    return isinstance(node, Named) and node.name.startswith(EXCEPTION)


def _part(kind: str, text: str, node: Node, rules: RuleSet, events: Sequence[Event]) -> Part:
    decide = compile_node(node, rules.today)
    answers = [decide(event.record) for event in events]
    made_true = any(answers)
    made_false = any(answer is not None and not answer for answer in answers)
    return Part(kind, text, made_true, made_false)


def word_node(node: Node) -> str:
    """Write a condition as a person would.

    Names of selections joined by and, or, not; tests with their field.
    """
    text = _worded(node)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _worded(node: Node) -> str:
    match node:
        case Named():
            return node.name
        case Not():
            return f"not {_within(node.child)}"
        case And() | Or():
            return (" and " if isinstance(node, And) else " or ").join(
                _within(child) for child in node.children
            )
        case Leaf():
            words = [" ".join(filter(None, test.describe())) for test in node.tests[:3]]
            return f"{node.field} {' or '.join(words)}" + (
                " or …" if len(node.tests) > len(words) else ""
            )
        case ExpiredAfter():
            return f"after {node.last}"


def _within(node: Node) -> str:
    return f"({_worded(node)})" if isinstance(node, And | Or) else _worded(node)
