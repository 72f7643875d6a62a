"""Explains why a rule is true, false or unknown for an event: its condition with all answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from clawback.model.events import Event
from clawback.model.texts import bounded, printable
from clawback.rules.engine.compiler import Today, compile_node
from clawback.rules.engine.field_values import is_unknown, known_by, reader_of
from clawback.rules.source.condition import And, ExpiredAfter, Leaf, Named, Node, Not, Or

EXCEPTION = "exception "
"""Prefix of the names of exceptions in the condition of a rule."""

_MOST_VALUES = 20
_MOST_REASONS = 10
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


def explain_node(node: Node, event: Event, today: Today) -> Explanation:
    """Explain a condition for one event; unlike in evaluation, every branch is evaluated."""
    answer = compile_node(node, today)(event.record)
    outcome = None if answer is None else bool(answer)
    match node:
        case Leaf():
            return _explain_leaf(node, event.record, outcome, today)
        case ExpiredAfter():
            return Explanation(f"expired after {node.last}", outcome)
        case Named():
            label, children = node.name, (node.child,)
        case Not():
            label, children = "not", (node.child,)
        case And() | Or():
            label = "all of" if isinstance(node, And) else "any of"
            return Explanation(label, outcome, children=_explain_each(node.children, event, today))

    return Explanation(label, outcome, children=_explain_each(children, event, today))


def _explain_each(nodes: Iterable[Node], event: Event, today: Today) -> tuple[Explanation, ...]:
    return tuple(explain_node(node, event, today) for node in nodes)


def _explain_leaf(
    leaf: Leaf,
    record: Mapping[str, Any],
    outcome: bool | None,  # noqa: FBT001 - a value, not a switch
    today: Today,
) -> Explanation:
    described = {test: test.describe() for test in leaf.tests}
    operators = tuple(dict.fromkeys(operator for operator, _ in described.values()))
    has_several = len(operators) > 1
    texts = {
        test: f"{operator} {expected}".strip() if has_several else expected
        for test, (operator, expected) in described.items()
    }
    held = tuple(
        texts[test]
        for test in leaf.tests
        if outcome and compile_node(Leaf(leaf.field, (test,)), today)(record)
    )
    path = tuple(leaf.field.split("."))
    values = () if is_unknown(record, known_by(path)) else reader_of(path)(record)

    return Explanation(
        label="any of" if has_several else operators[0],
        outcome=outcome,
        field=leaf.field,
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
    actual = _join_values([_render_value(value) for value in leaf.actual])
    test = f"{negation}{leaf.field} {leaf.label} {expected}".rstrip()
    return bounded(f"{test} ← {actual}", _LONGEST_REASON)


def _join_values(values: Iterable[str]) -> str:
    every = list(values)
    more = f" and {len(every) - _MOST_LISTED} more" if len(every) > _MOST_LISTED else ""
    return ", ".join(every[:_MOST_LISTED]) + more


def _render_value(value: object) -> str:
    if value is None:
        return "nothing"
    return printable(str(value).lower() if isinstance(value, bool) else str(value))
