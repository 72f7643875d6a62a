"""Finds the rules that are true of a record at a cost that grows with the candidates, not with the rules.

Few conditions are simply asked one after the other. Many are indexed by their anchors: equality by
hash, parts of texts by one multi-pattern matcher per field. Of a candidate only that is asked which
the lookup has not said already, and nothing at all unless its guards hold, which are asked once for
all rules.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from ahocorasick_rs import AhoCorasick, Implementation

from clawback.model.events import EventKind
from clawback.rules.engine.bitmasks import Bitmasks
from clawback.rules.engine.codegen import compile_inline
from clawback.rules.engine.compiler import Today, asks_enrichment, compile_node
from clawback.rules.engine.predicates import Predicate, all_values, as_text
from clawback.rules.engine.prefilter import Lookup, Path, Prefilter, cover_of
from clawback.rules.source.catalogue import ENRICHMENT
from clawback.rules.source.condition import Node, conjunction

Hit = TypeVar("Hit")

_FEW = 8
_FEW_LITERALS = 300
"""Up to here a full automaton is quicker than a compact one.

A larger one does not stay in the processor's cache.
"""
_BITS = 6
_MOST_RESTS = (1 << _BITS) - 1
"""An entry is the number of a row, and in its last bits which rest of the row's condition is left to ask: 0 if none is."""


Guarded = tuple[int, tuple[int, ...]]
"""Entries that also need all guards of some bits."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """What one lookup leads to."""

    free: tuple[int, ...] = ()
    guarded: tuple[Guarded, ...] = ()


_NO_ENTRIES = _Entries()
Match = tuple[int, int, int]
"""The number of a literal, where it starts, where it ends."""
_OVERLAPPING = True


_Uses = tuple[
    tuple[int, ...],
    tuple[Guarded, ...],
    tuple[tuple[int, _Entries], ...],
    _Entries | None,
    _Entries | None,
]
"""What a literal leads to.

Free and guarded wherever it is, together with each of some other literals, at the start, at the
end.
"""


@dataclass(frozen=True, slots=True)
class _Literals:
    """Literals that are looked for in one field, all at once."""

    literals: tuple[str, ...]
    uses: tuple[_Uses, ...]

    def look_up(
        self, text: str, matches: Sequence[Match], found: set[int], guarded: list[Guarded]
    ) -> None:
        """Add what the literals lead to that a folded text has."""
        held: list[_Entries] = []
        present: set[int] = set()
        for number, start, end in matches:
            free, guards, pairs, starts, ends = self.uses[number]
            if free:
                found.update(free)
            if guards:
                guarded += guards
            if pairs:
                present = present or {one for one, _, _ in matches}
                held += [entries for other, entries in pairs if other in present]
            if starts is not None and start == 0:
                held.append(starts)
            if ends is not None and end == len(text):
                held.append(ends)
        for entries in held:
            found.update(entries.free)
            guarded += entries.guarded

    def matches_in(self, text: str) -> Sequence[Match]:
        """Find them one by one, in a text that the matcher does not take."""
        return [
            (number, text.find(literal), len(text) if text.endswith(literal) else -1)
            for number, literal in enumerate(self.literals)
            if literal in text
        ]


@dataclass(frozen=True, slots=True)
class _Field:
    """Everything that is looked up in one field; `find` is the matcher of the literals."""

    path: tuple[str, ...]
    equal: Mapping[str, _Entries]
    literals: _Literals
    find: Callable[[str, bool], Sequence[Match]] | None
    some: _Entries | None

    def look_up(self, value: Any, found: set[int], guarded: list[Guarded]) -> None:
        """Add what the anchors that hold for one value lead to."""
        text = value if value.__class__ is str else as_text(value)
        if self.some is not None and value is not None:
            found.update(self.some.free)
            guarded += self.some.guarded
        if text is None:
            return
        folded = text.casefold()
        entries = self.equal.get(folded)
        if entries is not None:
            found.update(entries.free)
            guarded += entries.guarded
        if self.find is None:
            return
        try:
            matches = self.find(folded, _OVERLAPPING)
        except UnicodeEncodeError:  # a lone surrogate
            matches = self.literals.matches_in(folded)
        if matches:
            self.literals.look_up(folded, matches, found, guarded)


Decision = tuple[Sequence[Hit], bool]
NONE: tuple[tuple[()], bool] = ((), False)


class _Index(Generic[Hit]):
    """Decides one set of conditions, for records with or (`blind`) without `detections`."""

    def __init__(
        self, rows: Sequence[tuple[Node, Hit]], kind: EventKind, today: Today, *, blind: bool
    ) -> None:
        self._hits = [hit for _, hit in rows]
        self._today = today
        self._rests: dict[int, Node] = {}
        self._predicates: dict[int, Predicate] = {}
        self._guards = Bitmasks(kind)
        self._always: list[int] = []
        anchors: dict[Prefilter, dict[int, list[int]]] = {}
        for number, (node, _) in enumerate(rows):
            cover = cover_of(node, kind, blind=blind)
            if cover is None:
                self._always.append(self._entry(number, 1, (node,)))
            for anchor, needed, entry in self._entries(number, node, cover.paths if cover else ()):
                anchors.setdefault(anchor, {}).setdefault(needed, []).append(entry)
        fields = _by_field({anchor: _entries(groups) for anchor, groups in anchors.items()})
        self._plain = tuple(
            (field.path[0], field.look_up) for field in fields if len(field.path) == 1
        )
        self._deep = tuple((field.path, field.look_up) for field in fields if len(field.path) > 1)

    def decide(self, record: Mapping[str, Any]) -> Decision[Hit]:
        """Give what is true of a record, and whether anything is undecided."""
        found = self._look_up(record)
        return self._settle(sorted(found), record) if found else NONE

    def _entries(
        self, row: int, node: Node, paths: Sequence[Path]
    ) -> Iterator[tuple[Prefilter, int, int]]:
        """Give the anchors of a row with the guards they need and the entry they lead to.

        Paths with the same rest share an entry.
        """
        splits = {id(path.rest): self._guards.split(path.rest) for path in paths}
        rests = list(dict.fromkeys(rest for _, rest in splits.values() if rest))
        if len(rests) > _MOST_RESTS:
            splits, rests = dict.fromkeys(splits, (0, (node,))), [(node,)]
        numbers = {
            rest: self._entry(row, number, rest) for number, rest in enumerate(rests, start=1)
        } | {(): self._entry(row, 0, ())}
        for path in paths:
            needed, rest = splits[id(path.rest)]
            yield path.anchor, needed, numbers[rest]

    def _entry(self, row: int, number: int, rest: tuple[Node, ...]) -> int:
        entry = row << _BITS | number
        if rest:
            self._rests[entry] = conjunction(list(rest))
        return entry

    def _look_up(self, record: Mapping[str, Any]) -> set[int]:
        """Give the entries that a record leads to."""
        found = set(self._always)
        guarded: list[Guarded] = []
        for name, look_up in self._plain:
            value = record.get(name)
            if value.__class__ is str:
                look_up(value, found, guarded)
            elif value is not None:
                for one in all_values(value, ()):
                    look_up(one, found, guarded)
        for path, look_up in self._deep:
            if record.get(path[0]) is not None:
                for one in all_values(record, path):
                    look_up(one, found, guarded)
        return found | self._admitted(guarded, record) if guarded else found

    def _admitted(self, guarded: Iterable[Guarded], record: Mapping[str, Any]) -> set[int]:
        """Give the entries whose guards hold."""
        holding = self._guards.holding(record)
        return {
            entry for needed, entries in guarded if needed & holding == needed for entry in entries
        }

    def _settle(self, entries: Iterable[int], record: Mapping[str, Any]) -> Decision[Hit]:
        """Report the rows that are true where they are found, and ask the others what is left.

        A row can be there several times.
        """
        hits: list[Hit] = []
        undecided: set[int] = set()
        last = -1
        for entry in entries:
            row = entry >> _BITS
            if row == last:
                continue
            answer = (
                (self._predicates.get(entry) or self._compile(entry))(record)
                if entry & _MOST_RESTS
                else True
            )
            if answer:
                hits.append(self._hits[row])
                undecided.discard(row)
                last = row
            elif answer is None:
                undecided.add(row)
        return (hits, bool(undecided)) if hits or undecided else NONE

    def _compile(self, entry: int) -> Predicate:
        """Compile what is left of a condition when it is first asked.

        Most rules of a large set hardly ever are.

        Among many, closures that share their leaves are as quick as expressions of their own, and
        sooner made.
        """
        predicate = self._predicates[entry] = compile_node(self._rests[entry], self._today)
        return predicate


def _entries(groups: Mapping[int, Sequence[int]]) -> _Entries:
    return _Entries(
        tuple(groups.get(0, ())),
        tuple((needed, tuple(entries)) for needed, entries in groups.items() if needed),
    )


def _by_field(anchors: Mapping[Prefilter, _Entries]) -> list[_Field]:
    named: dict[str, dict[Prefilter, _Entries]] = {}
    for anchor, entries in anchors.items():
        named.setdefault(anchor.field, {})[anchor] = entries
    return [_field(name, one) for name, one in named.items()]


def _field(name: str, anchors: Mapping[Prefilter, _Entries]) -> _Field:
    literals = tuple(
        dict.fromkeys(
            literal
            for anchor in anchors
            if anchor.lookup in _IN_TEXTS
            for literal in (anchor.key, anchor.also)
            if literal
        )
    )
    numbers = {literal: number for number, literal in enumerate(literals)}
    asked: list[list[tuple[Prefilter, _Entries]]] = [[] for _ in literals]
    for anchor, entries in anchors.items():
        if anchor.lookup in _IN_TEXTS:
            asked[numbers[anchor.key]].append((anchor, entries))
    return _Field(
        path=tuple(name.split(".")),
        equal={
            anchor.key: entries
            for anchor, entries in anchors.items()
            if anchor.lookup is Lookup.EQUAL
        },
        literals=_Literals(literals, tuple(_uses(one, numbers) for one in asked)),
        find=_matcher(literals),
        some=anchors.get(Prefilter(name, Lookup.SOME)),
    )


_IN_TEXTS = frozenset({Lookup.HAS, Lookup.STARTS, Lookup.ENDS})


def _matcher(literals: Sequence[str]) -> Callable[[str, bool], Sequence[Match]] | None:
    if not literals:
        return None
    implementation = Implementation.DFA if len(literals) <= _FEW_LITERALS else None
    return AhoCorasick(literals, implementation=implementation).find_matches_as_indexes


def _uses(asked: Sequence[tuple[Prefilter, _Entries]], numbers: Mapping[str, int]) -> _Uses:
    plain = {anchor.lookup: entries for anchor, entries in asked if not anchor.also}
    anywhere = plain.get(Lookup.HAS, _NO_ENTRIES)
    pairs = tuple((numbers[anchor.also], entries) for anchor, entries in asked if anchor.also)
    return anywhere.free, anywhere.guarded, pairs, plain.get(Lookup.STARTS), plain.get(Lookup.ENDS)


class Engine(Generic[Hit]):
    """Decides many conditions about one record.

    Each condition comes with what is reported when it is true.

    `decide(record)` gives what is true of the record, in the order of the rules, and whether
    anything is still undecided.
    """

    decide: Callable[[Mapping[str, Any]], Decision[Hit]]

    def __init__(self, rows: Sequence[tuple[Node, Hit]], kind: EventKind, today: Today) -> None:
        self._rows = rows
        self._kind = kind
        self._today = today
        self._enriched = any(asks_enrichment(node) for node, _ in rows)
        self.decide = self._decide_all if len(rows) <= _FEW else self._decide_indexed

    @cached_property
    def _sighted(self) -> _Index[Hit]:
        return _Index(self._rows, self._kind, self._today, blind=False)

    @cached_property
    def _blind(self) -> _Index[Hit]:
        return (
            _Index(self._rows, self._kind, self._today, blind=True)
            if self._enriched
            else self._sighted
        )

    @cached_property
    def _predicates(self) -> list[tuple[Predicate, Predicate, Hit]]:
        """For each row what answers in three values, what answers in two where everything is known, and the hit."""
        nodes = [
            (node, asks_enrichment(node), compile_inline(node, self._today), hit)
            for node, hit in self._rows
        ]
        return [
            (compile_node(node, self._today) if open_ else inlined, inlined, hit)
            for node, open_, inlined, hit in nodes
        ]

    def prepare(self) -> None:
        """Build the index now, not at the first event."""
        _ = self._predicates if len(self._rows) <= _FEW else (self._blind, self._sighted)

    def _decide_all(self, record: Mapping[str, Any]) -> Decision[Hit]:
        hits: list[Hit] = []
        undecided = False
        known = not self._enriched or self._is_enriched(record)
        for predicate, inlined, hit in self._predicates:
            if answer := inlined(record) if known else predicate(record):
                hits.append(hit)
            elif answer is None:
                undecided = True
        return (hits, undecided) if hits or undecided else NONE

    def _decide_indexed(self, record: Mapping[str, Any]) -> Decision[Hit]:
        index = self._blind if self._enriched and not self._is_enriched(record) else self._sighted
        return index.decide(record)

    def _is_enriched(self, record: Mapping[str, Any]) -> bool:
        if self._kind is EventKind.MESSAGE:
            return ENRICHMENT in record
        message = record.get("message")
        return not isinstance(message, Mapping) or ENRICHMENT in message
