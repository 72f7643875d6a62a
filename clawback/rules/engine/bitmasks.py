"""What fields of few values say, as bits.

A clause over a verdict or a flag is asked once for all rules, and once for each value.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from clawback.model.events import EventKind
from clawback.rules.engine.compiler import asks_enrichment
from clawback.rules.engine.predicates import Predicate, compile_leaf
from clawback.rules.engine.prefilter import is_common
from clawback.rules.source.condition import Leaf, Node, Not, SameAs

_PLAIN = frozenset({str, bool, type(None)})
_MOST_VALUES = 1_000


class Bitmasks:
    """Numbers clauses that are worth a bit, and says which of them hold for a record."""

    def __init__(self, kind: EventKind) -> None:
        self._kind = kind
        self._bits: dict[Node, int] = {}
        self._fields: dict[str, _Guarded] = {}

    def split(self, clauses: Iterable[Node]) -> tuple[int, tuple[Node, ...]]:
        """Take the guards out of clauses that must all hold: their bits, and what is left."""
        bits = 0
        left: list[Node] = []
        for clause in clauses:
            bit = self._bit(clause)
            bits |= bit
            if not bit:
                left.append(clause)
        return bits, tuple(left)

    def holding(self, record: Mapping[str, Any]) -> int:
        """Give the bits of all guards that hold."""
        bits = 0
        for one in self._fields.values():
            bits |= one.holding(record)
        return bits

    def _bit(self, clause: Node) -> int:
        leaf = clause.child if isinstance(clause, Not) else clause
        if not isinstance(leaf, Leaf) or not is_common(leaf, self._kind) or _asks_elsewhere(leaf):
            return 0
        if clause not in self._bits:
            bit = self._bits[clause] = 1 << len(self._bits)
            self._fields.setdefault(leaf.field, _Guarded(leaf.field)).add(
                bit, compile_leaf(leaf), wanted=clause is leaf
            )
        return self._bits[clause]


def _asks_elsewhere(leaf: Leaf) -> bool:
    return asks_enrichment(leaf) or any(isinstance(test, SameAs) for test in leaf.tests)


class _Guarded:
    """The guards of one field; what they say of a value is remembered."""

    def __init__(self, name: str) -> None:
        self._name, *self._deeper = name.split(".")
        self._guards: list[tuple[int, Predicate, bool]] = []
        self._known: dict[str | bool | None, int] = {}

    def add(self, bit: int, predicate: Predicate, *, wanted: bool) -> None:
        self._guards.append((bit, predicate, wanted))

    def holding(self, record: Mapping[str, Any]) -> int:
        value: Any = record.get(self._name)
        for name in self._deeper:
            if value.__class__ is not dict:
                return self._ask(record)
            value = value.get(name)
        if value.__class__ not in _PLAIN:
            return self._ask(record)
        bits = self._known.get(value)
        if bits is None:
            if len(self._known) >= _MOST_VALUES:
                self._known.clear()
            bits = self._known[value] = self._ask(record)
        return bits

    def _ask(self, record: Mapping[str, Any]) -> int:
        return sum(
            bit for bit, predicate, wanted in self._guards if bool(predicate(record)) is wanted
        )
