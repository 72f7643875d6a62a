"""Why a rule is true, false or not known of an event: its tree with every answer filled in. Data only; rendering is for others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawback.events import Event
from clawback.rules.compiler import Today, compile_node
from clawback.rules.predicates import is_unknown, values_of
from clawback.rules.tree import All, Lapses, Leaf, Named, Node, Not, Some

_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node: what it is (`all of`, `any of`, `not`, a selection's name, or a test), and true, false or None for not known.

    A leaf also has the field, what was `expected` of it, and its `actual` values (none where the field is not known yet).
    """

    label: str
    outcome: bool | None
    field: str | None = None
    expected: tuple[str, ...] = ()
    actual: tuple[Any, ...] = ()
    children: tuple["Explanation", ...] = ()


def explain_node(node: Node, event: Event, today: Today) -> Explanation:
    """Fill in a tree for one event; every branch is asked, also where evaluation would have stopped earlier."""
    outcome = compile_node(node, today)(event.record)
    match node:
        case Leaf():
            return _leaf(node, event.record, outcome)
        case Lapses():
            return Explanation(f"expired after {node.last}", outcome)
        case Named():
            return Explanation(node.name, outcome, children=(explain_node(node.child, event, today),))
        case Not():
            return Explanation("not", outcome, children=(explain_node(node.child, event, today),))
        case All() | Some():
            label = "all of" if isinstance(node, All) else "any of"
            return Explanation(label, outcome, children=tuple(explain_node(child, event, today) for child in node.children))


def _leaf(leaf: Leaf, record: Mapping[str, Any], outcome: bool | None) -> Explanation:  # noqa: FBT001 (an answer, not a switch)
    path = tuple(leaf.field.split("."))
    actual: tuple[Any, ...] = ()
    if not is_unknown(record, path):
        actual = tuple(value for _, value in zip(range(_MOST_VALUES), values_of(record, path), strict=False))
    return Explanation("is", outcome, leaf.field, tuple(str(test) for test in leaf.tests), actual)
