"""Turns a tree into one predicate.

Kleene's three-valued and, or, not over compiled leaves, the cheapest leaves first.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from functools import cached_property

from clawback.model.events import Event
from clawback.rules.engine.predicates import Predicate, Record, compile_leaf, is_enrichment
from clawback.rules.source.catalogue import ENRICHMENT
from clawback.rules.source.condition import (
    All,
    Lapses,
    Leaf,
    Named,
    Node,
    Not,
    Regex,
    SameAs,
    Some,
    Test,
    Text,
    leaves_of,
)

Today = Callable[[], date]


def compile_node(node: Node, today: Today) -> Predicate:
    """Compile a tree; the predicate answers true, false, or None for not known."""
    match node:
        case Leaf():
            return compile_leaf(node)
        case Named():
            return compile_node(node.child, today)
        case Not():
            return _negation(compile_node(node.child, today))
        case Lapses():
            last = node.last
            return lambda _: today() > last
        case All() | Some():
            compiled = [compile_node(child, today) for child in by_cost(node.children)]
            decided = not asks_enrichment(node)
            if isinstance(node, All):
                return _conjunction(compiled) if decided else _open_conjunction(compiled)
            return _disjunction(compiled) if decided else _open_disjunction(compiled)


def asks_enrichment(node: Node) -> bool:
    """Whether any leaf needs `/detections`."""
    return any(
        is_enrichment(tuple(name.split(".")))
        for leaf in leaves_of(node)
        for name in (leaf.field, *(test.field for test in leaf.tests if isinstance(test, SameAs)))
    )


def by_cost(children: tuple[Node, ...]) -> list[Node]:
    """Put the cheapest first, and what is negated last, since filters seldom decide.

    Order changes nothing but speed.
    """
    return sorted(children, key=lambda node: (isinstance(node, Not), _cost(node)))


def _cost(node: Node) -> int:
    match node:
        case Leaf():
            return (1 if "." not in node.field else 4) + sum(
                _test_cost(test) for test in node.tests[:8]
            )
        case Lapses():
            return 1_000
        case Named() | Not():
            return _cost(node.child)
        case All() | Some():
            return sum(_cost(child) for child in node.children)


def _test_cost(test: object) -> int:
    if isinstance(test, Regex | SameAs):
        return 20
    return 1 if isinstance(test, Text) and test.literal is not None else 3


def _negation(child: Predicate) -> Predicate:
    def predicate(record: Record) -> bool | None:
        answer = child(record)
        return None if answer is None else not answer

    return predicate


def _conjunction(children: list[Predicate]) -> Predicate:
    if len(children) == 2:  # noqa: PLR2004
        first, second = children
        return lambda record: first(record) and second(record)

    def predicate(record: Record) -> bool:
        for child in children:  # noqa: SIM110
            if not child(record):
                return False
        return True

    return predicate


def _disjunction(children: list[Predicate]) -> Predicate:
    if len(children) == 2:  # noqa: PLR2004
        first, second = children
        return lambda record: first(record) or second(record)

    def predicate(record: Record) -> bool:
        for child in children:  # noqa: SIM110
            if child(record):
                return True
        return False

    return predicate


def _open_conjunction(children: list[Predicate]) -> Predicate:
    def predicate(record: Record) -> bool | None:
        answer: bool | None = True
        for child in children:
            found = child(record)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer

    return predicate


def _open_disjunction(children: list[Predicate]) -> Predicate:
    def predicate(record: Record) -> bool | None:
        answer: bool | None = False
        for child in children:
            found = child(record)
            if found:
                return True
            if found is None:
                answer = None
        return answer

    return predicate


# ---- partial evaluation

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
