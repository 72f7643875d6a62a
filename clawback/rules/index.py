"""Finds the rules that are true of a record at a cost that grows with the candidates, not with the rules.

Few conditions are simply asked one after the other. Many are indexed by their anchors: equality by hash, parts of texts by one
multi-pattern matcher per field; only candidates are then decided by their whole condition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ahocorasick_rs import AhoCorasick

from clawback.events import EventKind
from clawback.rules.anchors import Anchor, Lookup, cover_of
from clawback.rules.catalogue import ENRICHMENT
from clawback.rules.compiler import Today, asks_enrichment
from clawback.rules.inlining import compile_choice, compile_inline
from clawback.rules.predicates import Predicate, as_text, values_of
from clawback.rules.tree import Node

Hit = TypeVar("Hit")
Found = set[int]

_FEW = 8


@dataclass(frozen=True, slots=True)
class _Field:
    """Everything that is looked up in one field; postings are row numbers."""

    path: tuple[str, ...]
    equal: Mapping[str, tuple[int, ...]]
    matches: Callable[[str], list[tuple[int, int, int]]] | None
    postings: tuple[tuple[int, ...], ...]
    some: tuple[int, ...]

    def look_up(self, value: Any, found: Found) -> None:
        """Add the rows whose anchors hold for one value."""
        if self.some and value is not None:
            found.update(self.some)
        text = value if value.__class__ is str else as_text(value)
        if text is None:
            return
        folded = text.casefold()
        rows = self.equal.get(folded)
        if rows is not None:
            found.update(rows)
        if self.matches is not None:
            for number, _, _ in _all_matches(self.matches, folded):
                found.update(self.postings[number])


def _all_matches(matches: Callable[[str], list[tuple[int, int, int]]], text: str) -> list[tuple[int, int, int]]:
    try:
        return matches(text)
    except UnicodeEncodeError:
        return matches(text.encode("utf-8", "replace").decode("utf-8"))


class _Index:
    """Candidates of one set of conditions, for records with or (`blind`) without `detections`."""

    def __init__(self, nodes: Sequence[Node], kind: EventKind, *, blind: bool) -> None:
        always: list[int] = []
        rows: dict[Anchor, list[int]] = {}
        for number, node in enumerate(nodes):
            cover = cover_of(node, kind, blind=blind)
            if cover is None:
                always.append(number)
            for anchor in cover.anchors if cover else ():
                rows.setdefault(anchor, []).append(number)
        self._always = frozenset(always)
        fields = _by_field(rows)
        self._plain = tuple((field.path[0], field.look_up) for field in fields if len(field.path) == 1)
        self._deep = tuple((field.path, field.look_up) for field in fields if len(field.path) > 1)

    def candidates(self, record: Mapping[str, Any]) -> Found:
        """Give the rows that could be true of a record."""
        found = set(self._always)
        for name, look_up in self._plain:
            value = record.get(name)
            if value.__class__ is str:
                look_up(value, found)
            elif value is not None:
                for one in values_of(record, (name,)):
                    look_up(one, found)
        for path, look_up in self._deep:
            if record.get(path[0]) is not None:
                for one in values_of(record, path):
                    look_up(one, found)
        return found


def _by_field(rows: Mapping[Anchor, list[int]]) -> list[_Field]:
    names = dict.fromkeys(anchor.field for anchor in rows)
    return [_field(name, [(anchor, tuple(numbers)) for anchor, numbers in rows.items() if anchor.field == name]) for name in names]


def _field(name: str, rows: Iterable[tuple[Anchor, tuple[int, ...]]]) -> _Field:
    by_lookup: dict[Lookup, dict[str, tuple[int, ...]]] = {lookup: {} for lookup in Lookup}
    for anchor, numbers in rows:
        by_lookup[anchor.lookup][anchor.key] = numbers
    literals = by_lookup[Lookup.HAS]
    return _Field(
        path=tuple(name.split(".")),
        equal=by_lookup[Lookup.EQUAL],
        matches=_matcher(list(literals)) if literals else None,
        postings=tuple(literals.values()),
        some=by_lookup[Lookup.SOME].get("", ()),
    )


def _matcher(literals: list[str]) -> Callable[[str], list[tuple[int, int, int]]]:
    machine = AhoCorasick(literals)
    return lambda text: machine.find_matches_as_indexes(text, overlapping=True)


Decision = tuple[Sequence[Hit], bool]
NONE: tuple[tuple[()], bool] = ((), False)
_OPEN: tuple[tuple[()], bool] = ((), True)


class Engine(Generic[Hit]):
    """Decides many conditions about one record; each condition comes with what is reported when it is true.

    `decide(record)` gives what is true of the record, in the order of the rules, and whether anything is still undecided.
    """

    decide: Callable[[Mapping[str, Any]], Decision[Hit]]

    def __init__(self, rows: Sequence[tuple[Node, Hit]], kind: EventKind, today: Today) -> None:
        self._nodes = [node for node, _ in rows]
        self._hits = [hit for _, hit in rows]
        self._kind = kind
        self._today = today
        self._predicates: list[Predicate | None] = [None] * len(rows)
        self._enriched = any(asks_enrichment(node) for node in self._nodes)
        self.decide = self._decide_indexed
        if len(rows) == 1 and not self._enriched:
            self.decide = compile_choice(self._nodes[0], today, (self._hits, False), NONE)
        elif len(rows) <= _FEW:
            self.decide = self._decide_all

    @cached_property
    def _sighted(self) -> _Index:
        return _Index(self._nodes, self._kind, blind=False)

    @cached_property
    def _blind(self) -> _Index:
        return _Index(self._nodes, self._kind, blind=True) if self._enriched else self._sighted

    def prepare(self) -> None:
        """Build the index now, not at the first event."""
        if len(self._nodes) > _FEW:
            _ = self._blind, self._sighted

    def _decide_all(self, record: Mapping[str, Any]) -> Decision[Hit]:
        return self._ask(range(len(self._nodes)), record)

    def _decide_indexed(self, record: Mapping[str, Any]) -> Decision[Hit]:
        index = self._blind if self._enriched and not self._is_enriched(record) else self._sighted
        found = index.candidates(record)
        return self._ask(sorted(found), record) if found else NONE

    def _ask(self, numbers: Iterable[int], record: Mapping[str, Any]) -> Decision[Hit]:
        hits: list[Hit] = []
        undecided = False
        predicates = self._predicates
        for number in numbers:
            predicate = predicates[number] or self._compile(number)
            if answer := predicate(record):
                hits.append(self._hits[number])
            elif answer is None:
                undecided = True
        return (hits, undecided) if hits or undecided else NONE

    def _compile(self, number: int) -> Predicate:
        """Compile a condition when it is first a candidate: most rules of a large set hardly ever are."""
        predicate = self._predicates[number] = compile_inline(self._nodes[number], self._today)
        return predicate

    def _is_enriched(self, record: Mapping[str, Any]) -> bool:
        if self._kind is EventKind.MESSAGE:
            return ENRICHMENT in record
        message = record.get("message")
        return not isinstance(message, Mapping) or ENRICHMENT in message
