"""The condition of a rule as a tree: and, or, not over named selections of tests of fields.

It is what pySigma parses, with everything resolved. The engine compiles, indexes and explains it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, StrEnum
from typing import ClassVar

from clawback.rules.source.lookalike import Lookalike

EVENT = "@event"
"""Where an element has the event that it belongs to, for references out of the element."""
OF_EVENT = f"{EVENT}."


class Wildcard(Enum):
    """The two wildcards of Sigma."""

    MANY = "*"
    ONE = "?"


# ---- tests: what a leaf asks of one value


@dataclass(frozen=True, slots=True)
class Text:
    """A string with wildcards that must match the whole value; case-insensitive unless `cased`."""

    parts: tuple[str | Wildcard, ...]
    cased: bool = False

    @property
    def literal(self) -> str | None:
        """The string itself if it has no wildcard."""
        if not self.parts:
            return ""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], str) else None

    @property
    def cost(self) -> int:
        """Relative cost of the test; cheap tests run first."""
        return 1 if self.literal is not None else 3

    def describe(self) -> tuple[str, str]:
        """Name the operator and the expected value, such as `contains` and `invoice`."""
        match self.parts:
            case (Wildcard.MANY, str() as literal, Wildcard.MANY):
                operator, expected = "contains", literal
            case (str() as literal, Wildcard.MANY):
                operator, expected = "starts with", literal
            case (Wildcard.MANY, str() as literal):
                operator, expected = "ends with", literal
            case _ if self.literal is not None:
                operator, expected = "is", self.literal
            case _:
                operator, expected = "is like", str(self)

        return f"{operator} (cased)" if self.cased else operator, expected or "''"

    def __str__(self) -> str:
        return "".join(
            part.value
            if isinstance(part, Wildcard)
            else part.replace("*", "\\*").replace("?", "\\?")
            for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Confusable:
    """A text that the value looks like (`clawback.model.confusables`)."""

    text: Text
    cost: ClassVar[int] = 30

    def describe(self) -> tuple[str, str]:
        """Name the operator and the expected value."""
        operator, expected = self.text.describe()
        return f"{operator} (confusable)", expected

    def __str__(self) -> str:
        return f"like {self.text}"


@dataclass(frozen=True, slots=True)
class Regex:
    """An RE2 regular expression, searched for anywhere; `flags` are some of `i`, `m`, `s`."""

    pattern: str
    flags: str = ""
    cost: ClassVar[int] = 20

    @property
    def expression(self) -> str:
        """The pattern with its flags inline, as RE2 compiles it."""
        return f"(?{self.flags}){self.pattern}" if self.flags else self.pattern

    def describe(self) -> tuple[str, str]:
        """Name the operator and the pattern."""
        return "matches", str(self)

    def __str__(self) -> str:
        return f"/{self.pattern}/{self.flags}"


@dataclass(frozen=True, slots=True)
class Null:
    """The field is missing, null or an empty list."""

    cost: ClassVar[int] = 3

    def describe(self) -> tuple[str, str]:
        """Name the operator; it has no operand."""
        return "is null", ""

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is neither missing nor null nor an empty list."""

    cost: ClassVar[int] = 3

    def describe(self) -> tuple[str, str]:
        """Name the operator; it has no operand."""
        return "exists", ""

    def __str__(self) -> str:
        return "exists"


class Comparison(StrEnum):
    """How numbers are compared."""

    EQ = "="
    LT = "<"
    LTE = "≤"
    GT = ">"
    GTE = "≥"


@dataclass(frozen=True, slots=True)
class Number:
    """A comparison with a number; strings that are plain decimal numbers count as numbers."""

    comparison: Comparison
    number: int | float
    cost: ClassVar[int] = 3

    def describe(self) -> tuple[str, str]:
        """Name the comparison and the number."""
        return self.comparison.value, str(self.number)

    def __str__(self) -> str:
        return f"{self.comparison} {self.number}"


@dataclass(frozen=True, slots=True)
class Network:
    """An IPv4 or IPv6 network that contains the address in the field."""

    cidr: str
    cost: ClassVar[int] = 3

    def describe(self) -> tuple[str, str]:
        """Name the operator and the network."""
        return "is in", self.cidr

    def __str__(self) -> str:
        return f"in {self.cidr}"


@dataclass(frozen=True, slots=True)
class FieldReference:
    """A comparison with another field of the event.

    Equal; with `starts` or `ends` the value starts or ends with the other one; with both it
    contains it.
    """

    field: str
    starts: bool = False
    ends: bool = False
    cost: ClassVar[int] = 20

    def describe(self) -> tuple[str, str]:
        """Name the operator and the other field."""
        relation, _, field = str(self).rpartition(" ")
        return relation, f"field {field}"

    def below(self, parent: str) -> "FieldReference":
        """Give the same comparison outside of the elements of `parent`."""
        name = self.field.removeprefix(OF_EVENT)
        return replace(self, field=f"{parent}.{name}" if name == self.field else name)

    def __str__(self) -> str:
        relation = {
            (False, False): "=",
            (True, False): "starts with",
            (False, True): "ends with",
            (True, True): "contains",
        }
        return f"{relation[self.starts, self.ends]} {self.field.removeprefix(OF_EVENT)}"


class TimeUnit(StrEnum):
    """The part of a time that is compared, in UTC; a week is the ISO week."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class TimePart:
    """One part of a time field that must equal a number."""

    unit: TimeUnit
    number: int
    cost: ClassVar[int] = 3

    def describe(self) -> tuple[str, str]:
        """Name the operator, the part and the number."""
        return "is", str(self)

    def __str__(self) -> str:
        return f"{self.unit} = {self.number}"


Test = (
    Text
    | Confusable
    | Lookalike
    | Regex
    | Null
    | Exists
    | Number
    | Network
    | FieldReference
    | TimePart
)


# ---- nodes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field, and tests of which any must pass for any value of the field."""

    field: str
    tests: tuple[Test, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The field, and those that its tests refer to."""
        references = (test.field for test in self.tests if isinstance(test, FieldReference))
        return (self.field, *references)

    def below(self, parent: str) -> "Leaf":
        """Give the leaf of an element of `parent` as one of the whole event."""
        tests = tuple(
            test.below(parent) if isinstance(test, FieldReference) else test for test in self.tests
        )
        return Leaf(f"{parent}.{self.field}", tests)


@dataclass(frozen=True, slots=True)
class Element:
    """True if one element of a field of objects makes the child true; with `every`, if all do.

    The leaves of the child name fields of the element; references to fields of the event start with
    `OF_EVENT`. Without any element, both are false.
    """

    field: str
    child: "Node"
    every: bool = False

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The leaves of the child as leaves of the whole event: what the condition asks for."""
        return tuple(leaf.below(self.field) for leaf in leaves_of(self.child))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it asks for, by their full names."""
        return (self.field, *(name for leaf in self.leaves for name in leaf.fields))

    def describe(self) -> str:
        """Say which elements must make the child true."""
        return f"{'every' if self.every else 'one'} of {self.field}"


@dataclass(frozen=True, slots=True)
class And:
    """True if every child is."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if any child is."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the child is false."""

    child: "Node"


@dataclass(frozen=True, slots=True)
class Named:
    """A selection or an exception, under the name it has in its document."""

    name: str
    child: "Node"


@dataclass(frozen=True, slots=True)
class ExpiredAfter:
    """True from the day after `last`, in UTC: how an exception stops to apply."""

    last: date


Node = And | Or | Not | Named | Leaf | Element | ExpiredAfter


def children_of(node: Node) -> tuple[Node, ...]:
    """Give the direct children of a node."""
    match node:
        case And() | Or():
            return node.children
        case Not() | Named():
            return (node.child,)
        case _:
            return ()


def replace_children(node: Node, children: tuple[Node, ...]) -> Node:
    """Give the same node with other children, as many as before."""
    match node:
        case And() | Or():
            return replace(node, children=children)
        case Not() | Named():
            return replace(node, child=children[0])
        case _:
            return node


def walk(node: Node) -> Iterator[Node]:
    """Give a node and everything below it, depth first, from left to right.

    What an element asks for is not below: its fields are not those of the event.
    """
    yield node
    for child in children_of(node):
        yield from walk(child)


def leaves_of(node: Node) -> Iterator[Leaf]:
    """Give all leaves below a node, from left to right; those of elements by their full names."""
    for one in walk(node):
        if isinstance(one, Leaf):
            yield one
        elif isinstance(one, Element):
            yield from one.leaves


def join_and(children: list[Node]) -> Node:
    """Join conditions that must all hold; a single one is returned as it is."""
    return children[0] if len(children) == 1 else And(tuple(children))


def join_or(children: list[Node]) -> Node:
    """Join alternatives; leaves of the same field become one leaf."""
    merged: dict[str, list[Test]] = {}
    others: list[Node] = []
    for child in children:
        if isinstance(child, Leaf):
            merged.setdefault(child.field, []).extend(child.tests)
        else:
            others.append(child)

    nodes: list[Node] = [*(Leaf(field, tuple(tests)) for field, tests in merged.items()), *others]
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))
