"""What a rule asks of an event, as a tree.

And, or, not over named selections, whose leaves test one field each.

The tree is what pySigma's parse means, with nothing left open; it is compiled, indexed, explained
and interpreted from here. It has no behaviour of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum, StrEnum


class Wild(Enum):
    """The two wildcards of a Sigma text."""

    MANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Text:
    """A text with wildcards, whole; matched without regard to case unless `cased`.

    A field's text is folded the same way.
    """

    parts: tuple[str | Wild, ...]
    cased: bool = False

    @property
    def literal(self) -> str | None:
        """The text itself where there is no wildcard in it."""
        if not self.parts:
            return ""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], str) else None

    def __str__(self) -> str:
        return "".join(
            part.value if isinstance(part, Wild) else part.replace("*", "\\*").replace("?", "\\?")
            for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression of RE2, found anywhere; `flags` are some of `i`, `m`, `s`."""

    pattern: str
    flags: str = ""

    def __str__(self) -> str:
        return f"/{self.pattern}/{self.flags}"


@dataclass(frozen=True, slots=True)
class Null:
    """No value: the field is missing, null or an empty list."""

    def __str__(self) -> str:
        return "null"


@dataclass(frozen=True, slots=True)
class Exists:
    """Some value: the field is there and neither null nor an empty list."""

    def __str__(self) -> str:
        return "exists"


class Comparison(StrEnum):
    """How a number is compared."""

    EQ = "="
    LT = "<"
    LTE = "≤"
    GT = ">"
    GTE = "≥"


@dataclass(frozen=True, slots=True)
class Number:
    """A comparison with a number; texts that are plain numbers count as numbers."""

    comparison: Comparison
    number: int | float

    def __str__(self) -> str:
        return f"{self.comparison} {self.number}"


@dataclass(frozen=True, slots=True)
class Network:
    """An IPv4 or IPv6 network that has the field's address in it."""

    cidr: str

    def __str__(self) -> str:
        return f"in {self.cidr}"


@dataclass(frozen=True, slots=True)
class SameAs:
    """The text of another field.

    The same, or with `starts`/`ends` its beginning, its end or (both) a part of it.
    """

    field: str
    starts: bool = False
    ends: bool = False

    def __str__(self) -> str:
        relation = {
            (False, False): "=",
            (True, False): "starts with",
            (False, True): "ends with",
            (True, True): "contains",
        }
        return f"{relation[self.starts, self.ends]} {self.field}"


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

    def __str__(self) -> str:
        return f"{self.unit} = {self.number}"


Test = Text | Regex | Null | Exists | Number | Network | SameAs | TimePart


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field of which any value must pass any of the tests."""

    field: str
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every child must hold."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Some child must hold."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The child must not hold."""

    child: "Node"


@dataclass(frozen=True, slots=True)
class Named:
    """A selection of the rule, under the name it has there."""

    name: str
    child: "Node"


@dataclass(frozen=True, slots=True)
class Lapses:
    """Holds from the day after `last`: how an exception stops applying.

    The day is read from the rule set's clock, in UTC.
    """

    last: date


Node = All | Some | Not | Named | Leaf | Lapses


def leaves_of(node: Node) -> Iterator[Leaf]:
    """Give all leaves below a node, from left to right."""
    match node:
        case Leaf():
            yield node
        case All() | Some():
            for child in node.children:
                yield from leaves_of(child)
        case Not() | Named():
            yield from leaves_of(node.child)
        case Lapses():
            return


def names_of(node: Node) -> Iterator[str]:
    """Give the names of all selections below a node."""
    match node:
        case Named():
            yield node.name
            yield from names_of(node.child)
        case All() | Some():
            for child in node.children:
                yield from names_of(child)
        case Not():
            yield from names_of(node.child)
        case _:
            return


def conjunction(children: list[Node]) -> Node:
    """Make a conjunction; of one child, the child."""
    return children[0] if len(children) == 1 else All(tuple(children))


def disjunction(children: list[Node]) -> Node:
    """Make a disjunction in which texts asked of the same field are one leaf."""
    merged: dict[str, list[Test]] = {}
    others: list[Node] = []
    for child in children:
        if isinstance(child, Leaf):
            merged.setdefault(child.field, []).extend(child.tests)
        else:
            others.append(child)
    nodes: list[Node] = [*(Leaf(field, tuple(tests)) for field, tests in merged.items()), *others]
    return nodes[0] if len(nodes) == 1 else Some(tuple(nodes))
