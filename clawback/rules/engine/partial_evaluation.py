"""What a report or submission could still match once its message is known.

So that no message is looked for in vain.

The conditions are the rules' own, with everything that they ask of the message taken for not known.
Nothing here is reported as a match.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from clawback.model.events import Event
from clawback.rules.engine.compiler import Today, compile_node
from clawback.rules.engine.predicates import Predicate
from clawback.rules.engine.tree import All, Leaf, Named, Node, Not, SameAs, Some, Test
from clawback.rules.source.catalogue import ENRICHMENT

_JOINED = "message."


class PartialEvaluation:
    """The conditions of one kind of event, before the message it is about is known."""

    def __init__(self, nodes: Iterable[Node], today: Today) -> None:
        self._nodes = tuple(dict.fromkeys(nodes))
        self._today = today

    def may_match(self, event: Event) -> bool:
        """Whether any condition holds, or may hold once the message is known."""
        return any(predicate(event.record) is not False for predicate in self._predicates)

    @cached_property
    def _predicates(self) -> list[Predicate]:
        return [compile_node(_veiled(node), self._today) for node in self._nodes]


def _veiled(node: Node) -> Node:
    match node:
        case Leaf():
            return Leaf(_name(node.field), tuple(map(_test, node.tests)))
        case All():
            return All(tuple(map(_veiled, node.children)))
        case Some():
            return Some(tuple(map(_veiled, node.children)))
        case Not():
            return Not(_veiled(node.child))
        case Named():
            return replace(node, child=_veiled(node.child))
        case _:
            return node


def _test(test: Test) -> Test:
    return replace(test, field=_name(test.field)) if isinstance(test, SameAs) else test


def _name(field: str) -> str:
    """Put a field of the message below what is not known until `/detections` has been read."""
    return f"{ENRICHMENT}.{field}" if field == "message" or field.startswith(_JOINED) else field
