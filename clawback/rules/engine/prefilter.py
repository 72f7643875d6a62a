"""What must be true of a record before a rule can be: a few lookups, any one of which must succeed.

How the index finds candidates.

A condition is rewritten as an or of paths, each a lookup and the rest that must hold as well.
Nothing is lost or added by it: found by a path without a rest, a rule is true already, and of any
other only the rest is asked.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clawback.model.events import EventKind
from clawback.rules.engine.literals import required_covers
from clawback.rules.engine.predicates import is_enrichment
from clawback.rules.source.catalogue import FieldType, find_field
from clawback.rules.source.condition import (
    All,
    Exists,
    Lapses,
    Leaf,
    Named,
    Node,
    Not,
    Null,
    Regex,
    SameAs,
    Some,
    Test,
    Text,
    Wild,
)

_SHORTEST = 3


class Lookup(StrEnum):
    """How a field is looked up."""

    EQUAL = "equal"
    HAS = "has"
    STARTS = "starts"
    ENDS = "ends"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Prefilter:
    """One lookup: the folded text of a field equals `key`, has it somewhere or at an end, or is anything but null.

    Where `also` is given, the text must have that somewhere, too.
    """

    field: str
    lookup: Lookup
    key: str = ""
    also: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """One way for a condition to hold: the anchor does, and all of the rest."""

    anchor: Prefilter
    rest: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class PrefilterSet:
    """Paths, one of which holds exactly when the condition does.

    `share` guesses how many events pass their anchors.
    """

    paths: tuple[Path, ...]
    share: float


def cover_of(node: Node, kind: EventKind, *, blind: bool) -> PrefilterSet | None:
    """Find the most selective paths of a condition; None where it can hold without any.

    `blind` is for records without `detections`: a leaf that is not known can turn out true, so it
    needs no anchor and has none.
    """
    match node:
        case Leaf():
            return _leaf_cover(node, kind, blind=blind)
        case Named():
            return cover_of(node.child, kind, blind=blind)
        case All():
            return _narrowed(clauses_of(node), kind, blind=blind)
        case Some():
            return _union(cover_of(child, kind, blind=blind) for child in node.children)
        case Not() | Lapses():
            return None


def clauses_of(node: Node) -> Iterator[Node]:
    """Give what must all hold for a node to: conjunctions and negated disjunctions taken apart."""
    match node:
        case Named():
            yield from clauses_of(node.child)
        case All():
            for child in node.children:
                yield from clauses_of(child)
        case Not():
            yield from (_negated(alternative) for alternative in _alternatives(node.child))
        case _:
            yield node


def _alternatives(node: Node) -> Iterator[Node]:
    match node:
        case Named():
            yield from _alternatives(node.child)
        case Some():
            for child in node.children:
                yield from _alternatives(child)
        case _:
            yield node


def _narrowed(clauses: Iterable[Node], kind: EventKind, *, blind: bool) -> PrefilterSet | None:
    """Find the paths of a conjunction.

    Those of its most selective clause, with all the others as the rest.
    """
    every = tuple(clauses)
    covers = [
        (cover, index)
        for index, clause in enumerate(every)
        if (cover := cover_of(clause, kind, blind=blind)) is not None
    ]
    best, chosen = min(covers, key=lambda pair: pair[0].share, default=(None, 0))
    if best is None:
        return None
    others = every[:chosen] + every[chosen + 1 :]
    return PrefilterSet(
        tuple(
            Path(path.anchor, path.rest + others if path.rest else others) for path in best.paths
        ),
        best.share,
    )


def _negated(node: Node) -> Node:
    return node.child if isinstance(node, Not) else Not(node)


def _union(covers: Iterable[PrefilterSet | None]) -> PrefilterSet | None:
    paths: list[Path] = []
    share = 0.0
    for cover in covers:
        if cover is None:
            return None
        paths += cover.paths
        share += cover.share
    return PrefilterSet(tuple(paths), share)


def _leaf_cover(leaf: Leaf, kind: EventKind, *, blind: bool) -> PrefilterSet | None:
    asked = [leaf.field, *(test.field for test in leaf.tests if isinstance(test, SameAs))]
    if blind and any(is_enrichment(tuple(name.split("."))) for name in asked):
        return None
    paths: dict[Path, None] = {}
    for test in leaf.tests:
        found = dict.fromkeys(_test_paths(leaf.field, test))
        if not found:
            return None
        paths |= found
    common = is_common(leaf, kind)
    return PrefilterSet(tuple(paths), sum(_share(path.anchor, common=common) for path in paths))


def is_common(leaf: Leaf, kind: EventKind) -> bool:
    """Whether a field has few values, each of them common."""
    known = find_field(kind, leaf.field)
    return known is not None and known.type in {FieldType.ENUM, FieldType.BOOLEAN}


def _test_paths(field: str, test: Test) -> Iterator[Path]:
    rest = (Leaf(field, (test,)),)
    match test:
        case Null():
            return
        case Text() if test.literal is not None:
            yield Path(
                Prefilter(field, Lookup.EQUAL, test.literal.casefold()), rest if test.cased else ()
            )
        case Text() if (found := _at_an_end(test)) is not None:
            yield Path(Prefilter(field, *found), rest if test.cased else ())
        case Exists():
            yield Path(Prefilter(field, Lookup.SOME))
        case Text():
            literals = {part.casefold() for part in test.parts if isinstance(part, str)}
            yield from (
                Path(anchor, rest)
                for anchor in _has(
                    field, [{literal} for literal in sorted(literals, key=len, reverse=True)]
                )
            )
        case Regex():
            yield from (Path(anchor, rest) for anchor in _has(field, required_covers(test.pattern)))
        case _:
            yield Path(Prefilter(field, Lookup.SOME), rest)


def _at_an_end(text: Text) -> tuple[Lookup, str] | None:
    """Give the lookup that says all that a text with one literal and wildcards around it says.

    None if there is no such lookup.
    """
    match text.parts:
        case (Wild.MANY, str() as literal, Wild.MANY):
            lookup = Lookup.HAS
        case (str() as literal, Wild.MANY):
            lookup = Lookup.STARTS
        case (Wild.MANY, str() as literal):
            lookup = Lookup.ENDS
        case _:
            return None
    folded = literal.casefold()
    return (lookup, folded) if len(folded) >= _SHORTEST else None


def _has(field: str, covers: Sequence[Collection[str]]) -> Iterator[Prefilter]:
    """Look for one literal of the first cover that is long enough, and for another one that must be there as well."""
    useful = [cover for cover in covers if min(map(len, cover)) >= _SHORTEST]
    if not useful:
        yield Prefilter(field, Lookup.SOME)
        return
    also = next((literal for cover in useful[1:] if len(cover) == 1 for literal in cover), "")
    yield from (Prefilter(field, Lookup.HAS, literal, also=also) for literal in useful[0])


def _share(anchor: Prefilter, *, common: bool) -> float:
    """Guess the share of events that an anchor lets through."""
    match anchor.lookup:
        case Lookup.SOME:
            return 0.8
        case Lookup.EQUAL:
            return 0.2 if common else 0.0005
        case _:
            return 0.3 if common else 0.3 / (len(anchor.key) + len(anchor.also)) ** 2.5
