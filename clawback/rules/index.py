"""Finds the rules that are true of a record at a cost that grows with the candidates, not with the rules.

Few conditions are simply asked one after the other. Many are indexed by their anchors: equality by hash, parts of texts by one
multi-pattern matcher per field. What is found is true already where the lookup says all that the condition does; other candidates are then
decided by their whole condition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from ahocorasick_rs import AhoCorasick, Implementation

from clawback.events import EventKind
from clawback.rules.anchors import Anchor, Lookup, cover_of
from clawback.rules.catalogue import ENRICHMENT
from clawback.rules.compiler import Today, asks_enrichment, compile_node
from clawback.rules.inlining import compile_choice, compile_inline
from clawback.rules.predicates import Predicate, as_text, values_of
from clawback.rules.tree import Node

Hit = TypeVar("Hit")
Entries = tuple[int, ...]
Found = set[int]
"""Entries of the index: twice the number of a row if it is true where it is found, one more if it is only a candidate."""

_FEW = 8
_FEW_LITERALS = 2_000
"""Up to here a full automaton, twice as fast as a compact one, takes a few megabytes at most."""


@dataclass(frozen=True, slots=True)
class _Literals:
    """Literals that are looked for in one field, all at once; for each the entries if it is anywhere, at the start, at the end.

    `pairs` has for each the entries that also need another one, with its number.
    """

    find: Callable[[str], list[tuple[int, int, int]]]
    literals: tuple[str, ...]
    anywhere: tuple[Entries, ...]
    starts: tuple[Entries, ...]
    ends: tuple[Entries, ...]
    pairs: tuple[tuple[tuple[int, int], ...], ...]

    def look_up(self, text: str, found: Found) -> None:
        """Add the entries of what is in a folded text."""
        matches = self._matches(text)
        if not matches:
            return
        anywhere, starts, ends, pairs = self.anywhere, self.starts, self.ends, self.pairs
        present = {number for number, _, _ in matches}
        for number, start, end in matches:
            if needing := pairs[number]:
                found.update([entry for other, entry in needing if other in present])
            if entries := anywhere[number]:
                found.update(entries)
            if start == 0 and (entries := starts[number]):
                found.update(entries)
            if end == len(text) and (entries := ends[number]):
                found.update(entries)

    def _matches(self, text: str) -> list[tuple[int, int, int]]:
        try:
            return self.find(text)
        except UnicodeEncodeError:  # a lone surrogate: the matcher takes no such text
            return [
                (number, text.find(literal), len(text) if text.endswith(literal) else -1)
                for number, literal in enumerate(self.literals)
                if literal in text
            ]


@dataclass(frozen=True, slots=True)
class _Field:
    """Everything that is looked up in one field."""

    path: tuple[str, ...]
    equal: Mapping[str, Entries]
    literals: _Literals | None
    some: Entries

    def look_up(self, value: Any, found: Found) -> None:
        """Add the entries whose anchors hold for one value."""
        if self.some and value is not None:
            found.update(self.some)
        text = value if value.__class__ is str else as_text(value)
        if text is None:
            return
        folded = text.casefold()
        entries = self.equal.get(folded)
        if entries is not None:
            found.update(entries)
        if self.literals is not None:
            self.literals.look_up(folded, found)


class _Index:
    """Candidates of one set of conditions, for records with or (`blind`) without `detections`."""

    def __init__(self, nodes: Sequence[Node], kind: EventKind, *, blind: bool) -> None:
        always: list[int] = []
        rows: dict[Anchor, list[int]] = {}
        for number, node in enumerate(nodes):
            cover = cover_of(node, kind, blind=blind)
            if cover is None:
                always.append(2 * number + 1)
            for anchor in cover.anchors if cover else ():
                rows.setdefault(replace(anchor, sure=False), []).append(2 * number + (not anchor.sure))
        self._always = frozenset(always)
        fields = _by_field(rows)
        self._plain = tuple((field.path[0], field.look_up) for field in fields if len(field.path) == 1)
        self._deep = tuple((field.path, field.look_up) for field in fields if len(field.path) > 1)

    def candidates(self, record: Mapping[str, Any]) -> Found:
        """Give the entries that a record leads to."""
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


def _field(name: str, rows: Iterable[tuple[Anchor, Entries]]) -> _Field:
    by_lookup: dict[Lookup, dict[str, Entries]] = {lookup: {} for lookup in Lookup}
    pairs: dict[str, list[tuple[str, int]]] = {}
    for anchor, entries in rows:
        if anchor.also:
            pairs.setdefault(anchor.key, []).extend((anchor.also, entry) for entry in entries)
        else:
            by_lookup[anchor.lookup][anchor.key] = entries
    return _Field(
        path=tuple(name.split(".")),
        equal=by_lookup[Lookup.EQUAL],
        literals=_literals(pairs, *(by_lookup[lookup] for lookup in (Lookup.HAS, Lookup.STARTS, Lookup.ENDS))),
        some=by_lookup[Lookup.SOME].get("", ()),
    )


def _literals(pairs: Mapping[str, list[tuple[str, int]]], *lookups: Mapping[str, Entries]) -> _Literals | None:
    others = (other for needing in pairs.values() for other, _ in needing)
    literals = tuple(dict.fromkeys([*(literal for lookup in (*lookups, pairs) for literal in lookup), *others]))
    if not literals:
        return None
    implementation = Implementation.DFA if len(literals) <= _FEW_LITERALS else None
    find = partial(AhoCorasick(literals, implementation=implementation).find_matches_as_indexes, overlapping=True)
    anywhere, starts, ends = (tuple(lookup.get(literal, ()) for literal in literals) for lookup in lookups)
    numbers = {literal: number for number, literal in enumerate(literals)}
    numbered = (tuple((numbers[other], entry) for other, entry in pairs.get(literal, ())) for literal in literals)
    return _Literals(find, literals, anywhere, starts, ends, tuple(numbered))


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
        return self._settle(sorted(found), record) if found else NONE

    def _settle(self, entries: Iterable[int], record: Mapping[str, Any]) -> Decision[Hit]:
        """Report the rows that are true where they are found, and decide the candidates. A row can be there twice: as true first."""
        hits: list[Hit] = []
        undecided = False
        last = -1
        for entry in entries:
            row = entry >> 1
            if not entry & 1:
                hits.append(self._hits[row])
                last = row
            elif row != last:
                predicate = self._predicates[row] or self._compile(row)
                if answer := predicate(record):
                    hits.append(self._hits[row])
                elif answer is None:
                    undecided = True
        return (hits, undecided) if hits or undecided else NONE

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
        """Compile a condition when it is first a candidate: most rules of a large set hardly ever are.

        Among many, closures that share their leaves are as quick as expressions of their own, and sooner made.
        """
        compile_one = compile_inline if len(self._nodes) <= _FEW else compile_node
        predicate = self._predicates[number] = compile_one(self._nodes[number], self._today)
        return predicate

    def _is_enriched(self, record: Mapping[str, Any]) -> bool:
        if self._kind is EventKind.MESSAGE:
            return ENRICHMENT in record
        message = record.get("message")
        return not isinstance(message, Mapping) or ENRICHMENT in message
