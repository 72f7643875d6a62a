"""A condition as one Python expression, for sets of so few rules that the calls between closures would be most of the cost.

The expression is made of our own words and numbered constants only: nothing a rule says ever becomes source text. It means exactly
what `compiler.compile_node` means, and is used only for conditions that are decided without `/detections`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from clawback.rules.compiler import Today, asks_enrichment, by_cost, compile_node
from clawback.rules.literals import required_literals
from clawback.rules.predicates import Predicate, Record, any_value, compile_leaf, compile_tests, contained
from clawback.rules.tree import All, Exists, Lapses, Leaf, Named, Node, Not, Regex, Some, Text, Wild

Chosen = TypeVar("Chosen")
_FEW = 8


def compile_inline(node: Node, today: Today) -> Predicate:
    """Compile a tree into one function; the answer is the same as that of `compile_node`."""
    if asks_enrichment(node):
        return compile_node(node, today)
    writer = _Writer(today)
    return _function(writer.write(node), writer.constants)


def compile_choice(node: Node, today: Today, chosen: Chosen, other: Chosen) -> Callable[[Record], Chosen]:
    """Compile a tree that is decided without `/detections` into a function that gives `chosen` where it is true, else `other`."""
    writer = _Writer(today)
    return _function(f"chosen if {writer.write(node)} else other", {**writer.constants, "chosen": chosen, "other": other})


def _function(expression: str, constants: Mapping[str, Any]) -> Callable[[Record], Any]:
    scope = {"__builtins__": {}, "bool": bool, "dict": dict, "str": str, **constants}
    function: Callable[[Record], Any] = eval(compile(f"lambda record: {expression}", "<rule>", "eval"), scope)  # noqa: S307 (see above)
    return function


class _Writer:
    """Writes expressions; whatever they refer to goes into `constants`."""

    def __init__(self, today: Today) -> None:
        self.constants: dict[str, Any] = {}
        self._today = today

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
                return f"{self._constant(compile_node(node, self._today))}(record)"

    def _leaf(self, leaf: Leaf) -> str:
        path = tuple(leaf.field.split("."))
        written = self._test(leaf) if len(path) <= len(("parent", "child")) else None
        if written is None:
            return f"{self._constant(compile_leaf(leaf))}(record)"
        kind, holds = written
        slow = f"value is not None and {self._constant(_slow(leaf))}"
        value = f"record.get({self._constant(path[0])})"
        if len(path) == 1:
            return f"({holds} if (value := {value}).__class__ is {kind} else {slow}(value))"
        whole = self._constant(compile_leaf(leaf))
        inner = f"({holds} if (value := value.get({self._constant(path[1])})).__class__ is {kind} else {slow}(value))"
        return f"({inner} if (value := {value}).__class__ is dict else {whole}(record))"

    def _test(self, leaf: Leaf) -> tuple[str, str] | None:
        """Write the usual case: the type a value mostly has, and the test of one that has it. None passes no test that is written here."""
        if leaf.tests == (Exists(),):
            return "str", "True"
        texts = [test for test in leaf.tests if isinstance(test, Text) and not test.cased]
        if len(texts) == len(leaf.tests):
            literals = {test.literal.casefold() for test in texts if test.literal is not None}
            return self._equality(literals) if len(literals) == len(set(texts)) else self._parts(texts)
        return self._regex(leaf.tests[0]) if len(leaf.tests) == 1 and isinstance(leaf.tests[0], Regex) else None

    def _equality(self, literals: set[str]) -> tuple[str, str]:
        if literals <= {"true", "false"}:
            return "bool", f"value in {self._constant(frozenset(literal == 'true' for literal in literals))}"
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
        return "str", f"({self._constant(next(iter(needed)))} in value.casefold() and {whole})" if needed and len(needed) == 1 else whole

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name


def _slow(leaf: Leaf) -> Callable[[Any], bool]:
    check = compile_tests(leaf.tests)
    return lambda value: any_value(value, (), check)
