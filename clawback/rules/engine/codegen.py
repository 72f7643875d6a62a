"""A condition as one Python expression, for sets of so few rules that the calls between closures would be most of the cost.

The expression is made of our own words and numbered constants only: nothing a rule says ever
becomes source text. It means exactly what `compiler.compile_node` means for a record that has
everything the condition asks for: it knows true and false only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from clawback.model.events import Event, EventKind
from clawback.rules.engine.compiler import Today, asks_enrichment, by_cost, compile_node
from clawback.rules.engine.literals import required_literals
from clawback.rules.engine.predicates import (
    Predicate,
    any_value,
    compile_leaf,
    compile_tests,
    contained,
)
from clawback.rules.source.catalogue import ENRICHMENT
from clawback.rules.source.condition import (
    All,
    Exists,
    Lapses,
    Leaf,
    Named,
    Node,
    Not,
    Regex,
    Some,
    Text,
    Wild,
)

Chosen = TypeVar("Chosen")
_FEW = 8


def compile_inline(node: Node, today: Today) -> Predicate:
    """Compile a tree into one function.

    For records with `detections` if the tree asks for any, the answer is that of `compile_node`.
    """
    writer = _Writer(today, "record")
    return _function(f"lambda record: {writer.write(node)}", writer.constants)


@dataclass(frozen=True, slots=True)
class Choice(Generic[Chosen]):
    """What is answered about an event.

    `chosen(event)` where the condition is true, else `none`; `other(event)` where it cannot be
    told.
    """

    chosen: Callable[[Event], Chosen]
    none: Chosen
    other: Callable[[Event], Chosen]


def compile_choice(
    node: Node, kind: EventKind, today: Today, choice: Choice[Chosen]
) -> Callable[[Event], Chosen]:
    """Compile a tree into a function of events of one kind.

    It cannot tell of another kind, nor where the tree asks for `detections` that are not there.
    """
    writer = _Writer(today, "event.record")
    told = f"(chosen(event) if {writer.write(node)} else none)"
    known = f" and {_HAS_DETECTIONS[kind]}" if asks_enrichment(node) else ""
    constants = {
        "kind": kind,
        "enrichment": ENRICHMENT,
        "chosen": choice.chosen,
        "none": choice.none,
        "other": choice.other,
    }
    return _function(
        f"lambda event: {told} if event.kind is kind{known} else other(event)",
        {**writer.constants, **constants},
    )


_HAS_DETECTIONS = dict.fromkeys(EventKind, "False") | {
    EventKind.MESSAGE: "enrichment in event.record"
}


def _function(source: str, constants: Mapping[str, Any]) -> Callable[[Any], Any]:
    scope = {"__builtins__": {}, "bool": bool, "dict": dict, "str": str, **constants}
    function: Callable[[Any], Any] = eval(compile(source, "<rule>", "eval"), scope)  # noqa: S307 - the source is ours
    return function


class _Writer:
    """Writes expressions; whatever they refer to goes into `constants`."""

    def __init__(self, today: Today, record: str) -> None:
        self.constants: dict[str, Any] = {}
        self._today = today
        self._record = record

    def write(self, node: Node) -> str:
        """Write one node; the expression is true or false, never anything else."""
        match node:
            case Leaf():
                return self._leaf(node)
            case Named():
                return self.write(node.child)
            case Not():
                return f"(not {self.write(node.child)})"
            case All() | Some():
                word = " and " if isinstance(node, All) else " or "
                return f"({word.join(self.write(child) for child in by_cost(node.children))})"
            case Lapses():
                return f"{self._constant(compile_node(node, self._today))}({self._record})"

    def _leaf(self, leaf: Leaf) -> str:
        path = tuple(leaf.field.split("."))
        written = self._test(leaf) if len(path) <= len(("parent", "child")) else None
        if written is None:
            return f"{self._constant(compile_leaf(leaf))}({self._record})"
        kind, holds = written
        slow = f"value is not None and {self._constant(_slow(leaf))}"
        value = f"{self._record}.get({self._constant(path[0])})"
        if len(path) == 1:
            return f"({holds} if (value := {value}).__class__ is {kind} else {slow}(value))"
        whole = self._constant(compile_leaf(leaf))
        inner = f"({holds} if (value := value.get({self._constant(path[1])})).__class__ is {kind} else {slow}(value))"
        return f"({inner} if (value := {value}).__class__ is dict else {whole}({self._record}))"

    def _test(self, leaf: Leaf) -> tuple[str, str] | None:
        """Write the usual case: the type a value mostly has, and the test of one that has it.

        None passes no test that is written here.
        """
        if leaf.tests == (Exists(),):
            return "str", "True"
        texts = [test for test in leaf.tests if isinstance(test, Text) and not test.cased]
        if len(texts) == len(leaf.tests):
            literals = {test.literal.casefold() for test in texts if test.literal is not None}
            return (
                self._equality(literals) if len(literals) == len(set(texts)) else self._parts(texts)
            )
        return (
            self._regex(leaf.tests[0])
            if len(leaf.tests) == 1 and isinstance(leaf.tests[0], Regex)
            else None
        )

    def _equality(self, literals: set[str]) -> tuple[str, str]:
        if literals <= {"true", "false"}:
            return (
                "bool",
                f"value in {self._constant(frozenset(literal == 'true' for literal in literals))}",
            )
        if len(literals) == 1:
            return "str", f"value.casefold() == {self._constant(literals.pop())}"
        return "str", f"value.casefold() in {self._constant(frozenset(literals))}"

    def _parts(self, texts: list[Text]) -> tuple[str, str] | None:
        if len(texts) > _FEW:
            return None
        return "str", f"({' or '.join(self._part(text) for text in texts)})"

    def _part(self, text: Text) -> str:
        if (middle := contained(text)) is not None:
            return f"{self._constant(middle.casefold())} in value.casefold()"
        match text.parts:
            case (str() as head, Wild.MANY):
                return f"value.casefold().startswith({self._constant(head.casefold())})"
            case (Wild.MANY, str() as tail):
                return f"value.casefold().endswith({self._constant(tail.casefold())})"
            case _:
                return f"{self._constant(compile_tests((text,)))}(value)"

    def _regex(self, regex: Regex) -> tuple[str, str]:
        whole = f"{self._constant(compile_tests((regex,)))}(value)"
        needed = required_literals(regex.pattern)
        return (
            "str",
            f"({self._constant(next(iter(needed)))} in value.casefold() and {whole})"
            if needed and len(needed) == 1
            else whole,
        )

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def _slow(leaf: Leaf) -> Callable[[Any], bool]:
    check = compile_tests(leaf.tests)
    return lambda value: any_value(value, (), check)
