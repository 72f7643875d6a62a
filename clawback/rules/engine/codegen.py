"""Generates one Python expression for a condition.

For small rule sets, where calls between closures would be most of the cost.

An expression consists of our own words and numbered constants; no part of a rule becomes source
code. It is two-valued: it is used only for records that have everything the condition asks for, and
then agrees with `compile_node`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from clawback.model.events import SOURCES, Enrichment, Event, EventKind
from clawback.model.normal_text import NORMAL_FORMS
from clawback.rules.engine.compiler import Today, by_cost, compile_node, enrichments_of
from clawback.rules.engine.field_values import has_value, is_derived
from clawback.rules.engine.predicates import (
    Predicate,
    compile_leaf,
    compile_tests,
    is_ascii,
    literal_inside,
    match_any_regex,
    normalise,
    required_literals,
)
from clawback.rules.source.condition import (
    And,
    Element,
    Exists,
    ExpiredAfter,
    Leaf,
    Named,
    Node,
    Not,
    Or,
    Regex,
    Text,
    Wildcard,
)

Answer = TypeVar("Answer")

_MOST_PATTERNS = 8
_DEEPEST_PATH = 2


def generate_predicate(node: Node, today: Today) -> Predicate:
    """Generate a predicate of records that have the enrichments that the condition asks for."""
    writer = _Writer(today, "record")
    return _compile(f"lambda record: {writer.write(node)}", writer.constants)


@dataclass(frozen=True, slots=True)
class Branches(Generic[Answer]):
    """The answers: `matched(event)`, `unmatched`, or `unknown(event)` if undecided."""

    matched: Callable[[Event], Answer]
    unmatched: Answer
    unknown: Callable[[Event], Answer]


def generate_evaluator(
    node: Node, kind: EventKind, today: Today, branches: Branches[Answer]
) -> Callable[[Event], Answer]:
    """Generate a function of events that tests the condition and chooses the branch in one call.

    Events of another kind, and those without an enrichment that the condition asks for, take the
    branch `unknown`.
    """
    writer = _Writer(today, "event.record")
    answer = f"(matched(event) if {writer.write(node)} else unmatched)"
    is_known = "".join(f" and {writer.write_known(kind, one)}" for one in enrichments_of(node))
    constants = {
        **writer.constants,
        "kind": kind,
        "matched": branches.matched,
        "unmatched": branches.unmatched,
        "unknown": branches.unknown,
    }
    source = f"lambda event: {answer} if event.kind is kind{is_known} else unknown(event)"

    return _compile(source, constants)


def _compile(source: str, constants: Mapping[str, Any]) -> Callable[[Any], Any]:
    scope = {"__builtins__": {}, "bool": bool, "dict": dict, "str": str, **constants}
    code = compile(source, "<rule>", "eval")
    function: Callable[[Any], Any] = eval(code, scope)  # noqa: S307 - the source is ours
    return function


class _Writer:
    """Writes expressions; what they refer to goes into `constants`."""

    def __init__(self, today: Today, record: str) -> None:
        self.constants: dict[str, Any] = {}
        self._today = today
        self._record = record

    def write(self, node: Node) -> str:
        """Write a node as an expression that is true or false."""
        match node:
            case Leaf():
                return self._leaf(node)
            case Named():
                return self.write(node.child)
            case Not():
                return f"(not {self.write(node.child)})"
            case And() | Or():
                word = " and " if isinstance(node, And) else " or "
                return f"({word.join(self.write(child) for child in by_cost(node.children))})"
            case ExpiredAfter() | Element():
                return f"{self._constant(compile_node(node, self._today))}({self._record})"

    def write_known(self, kind: EventKind, enrichment: Enrichment) -> str:
        """Write whether a record has an enrichment.

        A joined event has it in its message, too deep to test inline.
        """
        is_joined = SOURCES[kind].is_joined
        return "False" if is_joined else f"{self._constant(enrichment.value)} in {self._record}"

    def _leaf(self, leaf: Leaf) -> str:
        """Write a leaf: the test inline for a value of the usual type, a call for any other."""
        path = leaf.field.split(".")
        is_shallow = len(path) <= _DEEPEST_PATH and not is_derived(tuple(path))
        inline = self._tests(leaf) if is_shallow else None
        if inline is None:
            return f"{self._constant(compile_leaf(leaf))}({self._record})"

        usual_type, test = inline
        unusual = f"value is not None and {self._constant(_check_any_value(leaf))}"
        # `:=` reads the value once, and comparing classes is the cheapest test of a type.
        value = f"{self._record}.get({self._constant(path[0])})"
        if len(path) == 1:
            return f"({test} if (value := {value}).__class__ is {usual_type} else {unusual}(value))"

        inner = f"value.get({self._constant(path[1])})"
        whole = f"{self._constant(compile_leaf(leaf))}({self._record})"
        nested = f"({test} if (value := {inner}).__class__ is {usual_type} else {unusual}(value))"

        return f"({nested} if (value := {value}).__class__ is dict else {whole})"

    def _tests(self, leaf: Leaf) -> tuple[str, str] | None:
        """Write the usual type of the value and the test of it; None if there is no inline form."""
        if leaf.tests == (Exists(),):
            return "str", "True"
        if len(leaf.tests) == 1 and isinstance(leaf.tests[0], Regex):
            return "str", self._regex(leaf.tests[0])

        texts = [
            normalise(test) for test in leaf.tests if isinstance(test, Text) and not test.cased
        ]
        # A text in another script is also compared with domain names as people see them.
        if len(texts) != len(leaf.tests) or not all(map(is_ascii, texts)):
            return None

        literals = {text.literal for text in texts if text.literal is not None}
        # All of them are literals, so one comparison decides.
        if len(literals) == len(set(texts)):
            return self._equality(literals)

        return self._patterns(texts) if len(texts) <= _MOST_PATTERNS else None

    def _normal_form(self, texts: Iterable[str]) -> str:
        """Write the normal form of the value, as far as it matters for these normal forms.

        In ASCII, blanks are all that differs from lower case, and a text without any finds none.
        """
        form = f"{self._constant(NORMAL_FORMS)}[value]"
        if any(" " in text for text in texts):
            return form
        return f"(value.lower() if value.isascii() else {form})"

    def _equality(self, literals: set[str]) -> tuple[str, str]:
        if literals <= {"true", "false"}:
            booleans = frozenset(literal == "true" for literal in literals)
            return "bool", f"value in {self._constant(booleans)}"
        form = self._normal_form(literals)
        if len(literals) == 1:
            return "str", f"{form} == {self._constant(literals.pop())}"
        return "str", f"{form} in {self._constant(frozenset(literals))}"

    def _patterns(self, texts: list[Text]) -> tuple[str, str]:
        return "str", f"({' or '.join(self._pattern(text) for text in texts)})"

    def _pattern(self, text: Text) -> str:
        form = self._normal_form(part for part in text.parts if isinstance(part, str))
        if (literal := literal_inside(text)) is not None:
            return f"{self._constant(literal)} in {form}"

        match text.parts:
            case (str() as head, Wildcard.MANY):
                return f"{form}.startswith({self._constant(head)})"
            case (Wildcard.MANY, str() as tail):
                return f"{form}.endswith({self._constant(tail)})"
            case _:
                return f"{self._constant(compile_tests((text,)))}(value)"

    def _regex(self, regex: Regex) -> str:
        matches = f"{self._constant(match_any_regex([regex.expression]))}(value) is not None"
        literals = required_literals(regex.expression)
        contains = [f"{self._constant(literal)} in value.casefold()" for literal in literals]
        return f"({' and '.join([*contains, matches])})"

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def _check_any_value(leaf: Leaf) -> Callable[[Any], bool]:
    check = compile_tests(leaf.tests)
    return lambda value: has_value(value, (), check)
