"""Why a rule is true, false or not known of an event: its tree with every answer filled in.

Data only; rendering is for others.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clawback.model.events import Event
from clawback.model.texts import bounded, printable
from clawback.rules.engine.compiler import Today, compile_node
from clawback.rules.engine.predicates import is_unknown, values_of
from clawback.rules.source.condition import (
    All,
    Exists,
    Lapses,
    Leaf,
    Named,
    Network,
    Node,
    Not,
    Null,
    Number,
    Regex,
    SameAs,
    Some,
    Test,
    Text,
    Wild,
)

_MOST_VALUES = 20
EXCEPTION = "exception "
"""How the names of exceptions begin in the tree of a rule."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node: what it is (`all of`, `any of`, `not`, a selection's name, or an operator), and true, false or None for not known.

    A leaf also has the field, what was `expected` of it, which of that `held`, and its `actual`
    values (none where the field is not known yet).
    """

    label: str
    outcome: bool | None
    field: str | None = None
    expected: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    actual: tuple[Any, ...] = ()
    children: tuple["Explanation", ...] = ()


def explain_node(node: Node, event: Event, today: Today) -> Explanation:
    """Fill in a tree for one event.

    Every branch is asked, also where evaluation would have stopped earlier.
    """
    outcome = as_answer(compile_node(node, today)(event.record))
    match node:
        case Leaf():
            return _leaf(node, event.record, outcome, today)
        case Lapses():
            return Explanation(f"expired after {node.last}", outcome)
        case Named():
            return Explanation(
                node.name, outcome, children=(explain_node(node.child, event, today),)
            )
        case Not():
            return Explanation("not", outcome, children=(explain_node(node.child, event, today),))
        case All() | Some():
            label = "all of" if isinstance(node, All) else "any of"
            return Explanation(
                label,
                outcome,
                children=tuple(explain_node(child, event, today) for child in node.children),
            )


def as_answer(said: object) -> bool | None:
    """Read what a predicate answered: true, false, or None for not known."""
    return None if said is None else bool(said)


def _leaf(leaf: Leaf, record: Mapping[str, Any], outcome: bool | None, today: Today) -> Explanation:  # noqa: FBT001
    path = tuple(leaf.field.split("."))
    worded = [(test, *word_test(test)) for test in leaf.tests]
    operators = tuple(dict.fromkeys(operator for _, operator, _ in worded))
    several = len(operators) > 1
    said = {
        test: f"{operator} {expected}".strip() if several else expected
        for test, operator, expected in worded
    }
    held = tuple(
        said[test]
        for test in leaf.tests
        if outcome and compile_node(Leaf(leaf.field, (test,)), today)(record)
    )
    actual: tuple[Any, ...] = ()
    if not is_unknown(record, path):
        actual = tuple(
            value for _, value in zip(range(_MOST_VALUES), values_of(record, path), strict=False)
        )
    label = "any of" if several else operators[0]
    return Explanation(label, outcome, leaf.field, tuple(said.values()), held, actual)


def word_test(test: Test) -> tuple[str, str]:
    """Word a test as an operator and what is expected, as `contains` and `invoice`.

    The latter is empty where there is nothing to say.
    """
    match test:
        case Text():
            return _word_text(test)
        case Null() | Exists():
            return ("is null" if isinstance(test, Null) else "exists"), ""
        case SameAs():
            relation, _, field = str(test).rpartition(" ")
            return relation, f"field {field}"
        case _:
            operator = {Regex: "matches", Network: "is in"}.get(type(test), "is")
            return (
                (test.comparison.value, str(test.number))
                if isinstance(test, Number)
                else (operator, _value_of(test))
            )


def _value_of(test: Test) -> str:
    return test.cidr if isinstance(test, Network) else str(test)


def _word_text(text: Text) -> tuple[str, str]:
    match text.parts:
        case (Wild.MANY, str() as literal, Wild.MANY):
            operator, expected = "contains", literal
        case (str() as literal, Wild.MANY):
            operator, expected = "starts with", literal
        case (Wild.MANY, str() as literal):
            operator, expected = "ends with", literal
        case _:
            operator, expected = (
                ("is" if text.literal is not None else "is like"),
                (text.literal or str(text)),
            )
    return f"{operator} (cased)" if text.cased else operator, expected or "''"


# ---- reasons: the lines that a case keeps

_MOST = 10
_LONGEST = 200
_FEW = 3


def reasons_of(explanations: Iterable[Explanation]) -> tuple[str, ...]:
    """Give the leaves that made the trees true, each with what was there.

    Exceptions that did not apply are left out.
    """
    found = dict.fromkeys(line for one in explanations for line in _decisive(one, negated=False))
    return tuple(found)[:_MOST]


def _decisive(one: Explanation, *, negated: bool) -> Iterator[str]:
    if one.label.startswith(EXCEPTION):
        return
    if one.field is not None:
        yield _worded(one, negated=negated)
        return
    turns = one.label == "not"
    for child in one.children:
        if turns or child.outcome is one.outcome:
            yield from _decisive(child, negated=negated is not turns)


def _worded(leaf: Explanation, *, negated: bool) -> str:
    expected = leaf.held or leaf.expected
    said = f"{'not ' if negated else ''}{leaf.field} {leaf.label} {_listed(expected)}".rstrip()
    there = _listed([_actual(value) for value in leaf.actual])
    return bounded(f"{said} ← {there}", _LONGEST)


def _listed(values: Iterable[str]) -> str:
    every = list(values)
    return ", ".join(every[:_FEW]) + (f" and {len(every) - _FEW} more" if len(every) > _FEW else "")


def _actual(value: object) -> str:
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return printable(text)
