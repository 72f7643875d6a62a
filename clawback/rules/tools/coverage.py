"""Measures which parts of a condition the tests of a rule make true, and which they make false.

A part is a selection, a branch that joins selections, or an alternative within a selection. The
tests of a correlation also count for the rules below it. For an exception, one test of any rule it
applies to is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clawback.model.events import Event
from clawback.model.texts import bounded
from clawback.rules.engine.compiler import compile_node
from clawback.rules.engine.explanation import EXCEPTION
from clawback.rules.engine.filter import Filter
from clawback.rules.engine.ruleset import Rule, RuleSet
from clawback.rules.engine.sample_events import build_test_events, with_enrichments
from clawback.rules.source.condition import And, Element, ExpiredAfter, Leaf, Named, Node, Not, Or

_LONGEST = 100
_MOST_TESTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition, and which outcomes any test gave it.

    `kind` is `selection`, `branch`, `alternative` or `exception`.
    """

    kind: str
    text: str
    made_true: bool
    made_false: bool

    @property
    def gap(self) -> str:
        """Say which outcome is untested; empty if both are tested."""
        outcomes = {"true": self.made_true, "false": self.made_false}
        missing = [outcome for outcome, is_made in outcomes.items() if not is_made]
        return f"{self.kind} {self.text} is never {' and never '.join(missing)}" if missing else ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts of one rule or exception, measured over all its tests."""

    name: str
    path: str
    line: int
    tests: int
    parts: tuple[Part, ...]

    @property
    def gaps(self) -> tuple[str, ...]:
        """The untested outcomes, in words."""
        return tuple(part.gap for part in self.parts if part.gap)

    @property
    def share(self) -> float:
        """The share of tested outcomes, two for each part, from 0 to 1."""
        made = sum(part.made_true + part.made_false for part in self.parts)
        return made / (2 * len(self.parts)) if self.parts else 1.0


def measure_coverage(rules: RuleSet) -> list[Coverage]:
    """Measure every rule that has a condition, then every exception."""
    tests = _tests_by_rule(rules)
    measured = [
        _cover_rule(rules, rule, rule.tree, tests[rule.name])
        for rule in rules.rules.values()
        if rule.tree is not None
    ]
    return [*measured, *(_cover_filter(rules, one, tests) for one in rules.filters)]


def _tests_by_rule(rules: RuleSet) -> Mapping[str, list[list[Event]]]:
    """Build the events of all tests, by the rules with a condition that they test."""
    found: dict[str, list[list[Event]]] = {name: [] for name in rules.rules}
    for rule in rules.rules.values():
        for test in rule.tests:
            events = [with_enrichments(rules, one) for one in build_test_events(rule, test)]
            for name in rules.leaves(rule):
                kinds = rules.rules[name].kinds
                found[name].append([event for event in events if event.kind in kinds])

    return found


def _cover_rule(
    rules: RuleSet, rule: Rule, tree: Node, tests: Sequence[Sequence[Event]]
) -> Coverage:
    measure = _Measure(rules, [event for test in tests for event in test])
    parts = tuple(dict.fromkeys(measure.parts_of(tree)))
    return Coverage(rule.name, rule.path, rule.line, len(tests), parts)


def _cover_filter(
    rules: RuleSet, one: Filter, tests_by_rule: Mapping[str, list[list[Event]]]
) -> Coverage:
    names = one.rules or tuple(
        name
        for name, rule in rules.rules.items()
        if one.kind in rule.kinds and rule.tree is not None
    )
    tests = [test for name in names for test in tests_by_rule.get(name, ())]
    measure = _Measure(rules, [event for test in tests for event in test])
    part = measure.part("exception", f"{one.name} (false: it excepts the event)", one.tree)

    return Coverage(one.name, one.path, one.line, len(tests), (part,))


class _Measure:
    """Evaluates parts of conditions for all events of the tests."""

    def __init__(self, rules: RuleSet, events: Sequence[Event]) -> None:
        self._rules = rules
        self._events = events

    def part(self, kind: str, text: str, node: Node) -> Part:
        decide = compile_node(node, self._rules.today)
        answers = [decide(event.record) for event in self._events]
        made_false = any(answer is not None and not answer for answer in answers)
        return Part(kind, text, made_true=any(answers), made_false=made_false)

    def parts_of(self, node: Node) -> Iterator[Part]:
        match node:
            case Named() if not _is_exception(node):
                yield self.part("selection", node.name, node)
                for child in node.child.children if isinstance(node.child, Or) else ():
                    text = f"{render_node(child)} of {node.name}"
                    yield self.part("alternative", text, child)
            case And() | Or():
                children = tuple(child for child in node.children if not _is_exception(child))
                if len(children) > 1:
                    branch = type(node)(children)
                    yield self.part("branch", render_node(branch), branch)
                for child in children:
                    yield from self.parts_of(child)
            case Not():
                yield from self.parts_of(node.child)
            case _:
                return


def _is_exception(node: Node) -> bool:
    return isinstance(node, Named) and node.name.startswith(EXCEPTION)


def render_node(node: Node) -> str:
    """Render a condition in Sigma's words, in at most 100 characters."""
    text = _render(node)
    return bounded(text, _LONGEST)


def _render(node: Node) -> str:
    match node:
        case Named():
            return node.name
        case Not():
            return f"not {_render_operand(node.child)}"
        case And() | Or():
            word = " and " if isinstance(node, And) else " or "
            return word.join(_render_operand(child) for child in node.children)
        case Leaf():
            tests = [" ".join(filter(None, test.describe())) for test in node.tests[:_MOST_TESTS]]
            more = " or …" if len(node.tests) > _MOST_TESTS else ""
            return f"{node.field} {' or '.join(tests)}{more}"
        case Element():
            return f"{node.describe()} has {_render_operand(node.child)}"
        case ExpiredAfter():
            return f"after {node.last}"


def _render_operand(node: Node) -> str:
    return f"({_render(node)})" if isinstance(node, And | Or) else _render(node)
