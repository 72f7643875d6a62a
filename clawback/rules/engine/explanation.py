"""Explains why a rule is true, false or unknown for an event: its condition with all answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from clawback.cases.clauses import ARROW
from clawback.model.events import Event
from clawback.model.normal_text import NORMAL_FORMS
from clawback.model.notations import shown
from clawback.model.texts import bounded, printable
from clawback.rules.engine.compiler import Today, compile_node, element_reader
from clawback.rules.engine.field_values import is_unknown, known_by, reader_of
from clawback.rules.source.condition import And, Element, ExpiredAfter, Leaf, Named, Node, Not, Or

EXCEPTION = "exception "
"""Prefix of the names of exceptions in the condition of a rule."""

_MOST_VALUES = 20
_MOST_REASONS = 10
_MOST_ELEMENTS = 20
_LONGEST_REASON = 200
_MOST_LISTED = 3


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node: its label (`all of`, `any of`, `not`, a name, or an operator) and its outcome.

    The outcome is true, false, or None for unknown. A leaf also has its field, the values
    `expected`, those of them that `held`, and the `actual` values (none while unknown).
    """

    label: str
    outcome: bool | None
    field: str | None = None
    expected: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    actual: tuple[Any, ...] = ()
    children: tuple["Explanation", ...] = ()

    @property
    def sees_original(self) -> bool:
        """Whether it compares texts as they are, and not their normal form."""
        return self.label == "matches" or self.label.endswith("(cased)")


def explain_node(node: Node, event: Event, today: Today) -> Explanation:
    """Explain a condition for one event; unlike in evaluation, every branch is evaluated."""
    return _explain(node, _Scope(event.record, today))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a condition is explained for: an event, or with `parent` one element of that field."""

    record: Mapping[str, Any]
    today: Today
    parent: str = ""

    def name(self, field: str) -> str:
        return f"{self.parent}.{field}" if self.parent else field

    def answer(self, node: Node) -> bool | None:
        answer = compile_node(node, self.today)(self.record)
        return None if answer is None else bool(answer)


def _explain(node: Node, scope: _Scope) -> Explanation:
    outcome = scope.answer(node)
    children: tuple[Node, ...]
    match node:
        case Leaf():
            return _explain_leaf(node, scope, outcome)
        case Element():
            return _explain_element(node, scope, outcome)
        case ExpiredAfter():
            return Explanation(f"expired after {node.last}", outcome)
        case Named():
            label, children = node.name, (node.child,)
        case Not():
            label, children = "not", (node.child,)
        case And() | Or():
            label = "all of" if isinstance(node, And) else "any of"
            children = node.children

    return Explanation(label, outcome, children=tuple(_explain(one, scope) for one in children))


def _explain_element(
    node: Element,
    scope: _Scope,
    outcome: bool | None,  # noqa: FBT001 - a value, not a switch
) -> Explanation:
    """Explain the condition for each element; where these are unknown, for one without fields."""
    if outcome is None:
        unknown = _explain(node.child, _Scope({}, scope.today, node.field))
        return Explanation(node.describe(), None, children=(_without_outcome(unknown),))

    children = tuple(
        Explanation(
            f"{node.field}[{number}]",
            explained.outcome,
            children=(explained,),
        )
        for number, explained in enumerate(
            _explain(node.child, _Scope(one, scope.today, node.field))
            for one in islice(element_reader(node)(scope.record), _MOST_ELEMENTS)
        )
    )
    return Explanation(node.describe(), outcome, children=children)


def _without_outcome(one: Explanation) -> Explanation:
    children = tuple(map(_without_outcome, one.children))
    return replace(one, outcome=None, held=(), actual=(), children=children)


def _explain_leaf(
    leaf: Leaf,
    scope: _Scope,
    outcome: bool | None,  # noqa: FBT001 - a value, not a switch
) -> Explanation:
    described = {test: test.describe() for test in leaf.tests}
    operators = tuple(dict.fromkeys(operator for operator, _ in described.values()))
    has_several = len(operators) > 1
    texts = {
        test: f"{operator} {expected}".strip() if has_several else expected
        for test, (operator, expected) in described.items()
    }
    held = tuple(
        texts[test] for test in leaf.tests if outcome and scope.answer(Leaf(leaf.field, (test,)))
    )
    path = tuple(leaf.field.split("."))
    record = scope.record
    values = () if is_unknown(record, known_by(path)) else reader_of(path)(record)

    return Explanation(
        label="any of" if has_several else operators[0],
        outcome=outcome,
        field=scope.name(leaf.field),
        expected=tuple(texts.values()),
        held=held,
        actual=tuple(islice(values, _MOST_VALUES)),
    )


# ---- reasons: the summary that a case keeps


def list_reasons(explanations: Iterable[Explanation]) -> tuple[str, ...]:
    """List the leaves that made conditions true, each as one short line with the actual value.

    Exceptions that did not apply are left out.
    """
    lines = (line for one in explanations for line in _reasons_of(one, is_negated=False))
    return tuple(dict.fromkeys(lines))[:_MOST_REASONS]


def _reasons_of(one: Explanation, *, is_negated: bool) -> Iterator[str]:
    if one.label.startswith(EXCEPTION):
        return
    if one.field is not None:
        yield _render_leaf(one, is_negated=is_negated)
        return

    # Only children with the outcome of the whole have brought it about.
    negates = one.label == "not"
    for child in one.children:
        if negates or child.outcome is one.outcome:
            yield from _reasons_of(child, is_negated=is_negated is not negates)


def _render_leaf(leaf: Explanation, *, is_negated: bool) -> str:
    negation = "not " if is_negated else ""
    expected = _join_values(leaf.held or leaf.expected)
    actual = _join_values([render_value(value, leaf) for value in leaf.actual])
    test = f"{negation}{leaf.field} {leaf.label} {expected}".rstrip()
    return bounded(f"{test}{ARROW}{actual}", _LONGEST_REASON)


def _join_values(values: Iterable[str]) -> str:
    every = list(values)
    more = f" and {len(every) - _MOST_LISTED} more" if len(every) > _MOST_LISTED else ""
    return ", ".join(every[:_MOST_LISTED]) + more


def render_value(value: object, leaf: Explanation) -> str:
    """Render a value with the form in which it is compared, where that is something else."""
    if value is None:
        return "nothing"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)

    form = NORMAL_FORMS[value]
    if form == value.casefold() or leaf.sees_original:
        return printable(shown(value))
    return f"{printable(value)} (compared as {printable(form)})"
