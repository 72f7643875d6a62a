"""Compiles a condition to one predicate in Kleene's three-valued logic: true, false, unknown."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cached_property

from clawback.model.events import Enrichment, Event
from clawback.rules.engine.field_values import (
    Record,
    enrichment_of,
    is_unknown,
    known_by,
    reader_of,
)
from clawback.rules.engine.predicates import Predicate, compile_leaf
from clawback.rules.source.condition import (
    EVENT,
    OF_EVENT,
    And,
    Element,
    Exists,
    ExpiredAfter,
    FieldReference,
    Leaf,
    Named,
    Node,
    Not,
    Or,
    Test,
    children_of,
    leaves_of,
    replace_children,
)

Today = Callable[[], date]
"""The clock by which exceptions expire: the current day in UTC."""

_MOST_TESTS_COUNTED = 8
_ELEMENT_COST = 4


def compile_node(node: Node, today: Today) -> Predicate:
    """Compile a condition; the predicate answers true, false, or None for unknown."""
    match node:
        case Leaf() | Element():
            return compile_leaf(node) if isinstance(node, Leaf) else _compile_element(node, today)
        case Named():
            return compile_node(node.child, today)
        case Not():
            return _negation(compile_node(node.child, today))
        case ExpiredAfter():
            last = node.last
            return lambda _: today() > last
        case And() | Or():
            children = [compile_node(child, today) for child in by_cost(node.children)]
            is_two_valued = not enrichments_of(node)
            if isinstance(node, And):
                return _and(children) if is_two_valued else _kleene_and(children)
            return _or(children) if is_two_valued else _kleene_or(children)


def enrichments_of(node: Node) -> frozenset[Enrichment]:
    """Give the enrichments that a condition asks for."""
    names = (name for leaf in leaves_of(node) for name in leaf.fields)
    return frozenset(filter(None, (enrichment_of(tuple(name.split("."))) for name in names)))


def by_cost(children: tuple[Node, ...]) -> list[Node]:
    """Sort children by cost, negated ones last: exceptions rarely apply.

    The order affects only the speed.
    """
    return sorted(children, key=lambda node: (isinstance(node, Not), _cost(node)))


def _cost(node: Node) -> int:
    match node:
        case Leaf():
            field = 1 if "." not in node.field else 4
            return field + sum(test.cost for test in node.tests[:_MOST_TESTS_COUNTED])
        case Element():
            return _ELEMENT_COST * _cost(node.child)
        case ExpiredAfter():
            return 1_000
        case _:
            return sum(_cost(child) for child in children_of(node))


def _negation(child: Predicate) -> Predicate:
    def predicate(record: Record) -> bool | None:
        answer = child(record)
        return None if answer is None else not answer

    return predicate


def _and(children: list[Predicate]) -> Predicate:
    if len(children) == 2:  # noqa: PLR2004 - the most frequent number, without a loop
        first, second = children
        return lambda record: first(record) and second(record)

    def predicate(record: Record) -> bool:
        for child in children:  # noqa: SIM110 - a generator costs more than the loop
            if not child(record):
                return False
        return True

    return predicate


def _or(children: list[Predicate]) -> Predicate:
    if len(children) == 2:  # noqa: PLR2004 - the most frequent number, without a loop
        first, second = children
        return lambda record: first(record) or second(record)

    def predicate(record: Record) -> bool:
        for child in children:  # noqa: SIM110 - a generator costs more than the loop
            if child(record):
                return True
        return False

    return predicate


def _kleene_and(children: list[Predicate]) -> Predicate:
    def predicate(record: Record) -> bool | None:
        result: bool | None = True
        for child in children:
            answer = child(record)
            if answer is False:
                return False
            if answer is None:
                result = None

        return result

    return predicate


def _kleene_or(children: list[Predicate]) -> Predicate:
    def predicate(record: Record) -> bool | None:
        result: bool | None = False
        for child in children:
            answer = child(record)
            if answer:
                return True
            if answer is None:
                result = None

        return result

    return predicate


# ---- elements


def _compile_element(node: Element, today: Today) -> Predicate:
    child = compile_node(node.child, today)
    give_elements = element_reader(node)
    asked = [tuple(name.split(".")) for name in node.fields]
    # Unknown as a whole: nothing is known of an element whose event is half known.
    unknowable = [known_by(path) for path in asked if enrichment_of(path) is not None]

    def predicate(record: Record) -> bool | None:
        for path in unknowable:
            if is_unknown(record, path):
                return None

        elements = give_elements(record)
        if node.every:
            return bool(elements) and all(child(one) is True for one in elements)
        return any(child(one) is True for one in elements)

    return predicate


def element_reader(node: Element) -> Callable[[Record], list[Record]]:
    """Give the function that lists the elements of a record as the child reads them.

    What is neither null nor an object is an element without fields.
    """
    read = reader_of(tuple(node.field.split(".")))
    asks_event = any(
        name.startswith(OF_EVENT) for leaf in leaves_of(node.child) for name in leaf.fields
    )

    def elements(record: Record) -> list[Record]:
        found = [one if isinstance(one, Mapping) else {} for one in read(record) if one is not None]
        return [{**one, EVENT: record} for one in found] if asks_event else found

    return elements


# ---- partial evaluation


class PartialEvaluation:
    """Evaluates conditions on reports and submissions before the message they are about is known.

    Fields of the message count as unknown, so the answer shows whether it is worth fetching. It
    never counts as a match.
    """

    def __init__(self, conditions: Iterable[Node], today: Today) -> None:
        self._conditions = tuple(dict.fromkeys(conditions))
        self._today = today

    def may_match(self, event: Event) -> bool:
        """Whether any condition holds, or may hold once the message is known."""
        return any(predicate(event.record) is not False for predicate in self._predicates)

    @cached_property
    def _predicates(self) -> list[Predicate]:
        return [compile_node(_without_message(node), self._today) for node in self._conditions]


def _without_message(node: Node) -> Node:
    if isinstance(node, Element):
        is_of_message = any(_unknown_field(name) != name for name in node.fields)
        return Leaf(_unknown_field("message"), (Exists(),)) if is_of_message else node
    if isinstance(node, Leaf):
        return Leaf(_unknown_field(node.field), tuple(map(_without_message_in_test, node.tests)))
    return replace_children(node, tuple(map(_without_message, children_of(node))))


def _without_message_in_test(test: Test) -> Test:
    if isinstance(test, FieldReference):
        return FieldReference(_unknown_field(test.field), test.starts, test.ends)
    return test


def _unknown_field(name: str) -> str:
    """Move a field of the message below `detections`, which are unknown until read."""
    is_of_message = name == "message" or name.startswith("message.")
    return f"{Enrichment.DETECTIONS}.{name}" if is_of_message else name
