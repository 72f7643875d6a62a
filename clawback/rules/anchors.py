"""What must be true of a record before a rule can be: a few lookups, any one of which must succeed. How the index finds candidates.

Some anchor of a cover is necessary. One that is `sure` is also enough: the condition is nothing but this lookup, or an or of such. Whoever
is found by any other is still decided by its whole condition.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from clawback.events import EventKind
from clawback.rules.catalogue import FieldType
from clawback.rules.fields import find_field
from clawback.rules.literals import required_covers
from clawback.rules.predicates import is_enrichment
from clawback.rules.tree import All, Exists, Lapses, Leaf, Named, Node, Not, Null, Regex, SameAs, Some, Test, Text, Wild

_SHORTEST = 3


class Lookup(StrEnum):
    """How a field is looked up."""

    EQUAL = "equal"
    HAS = "has"
    STARTS = "starts"
    ENDS = "ends"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One lookup: the folded text of a field equals `key`, has it somewhere or at an end, or is anything but null.

    Where `also` is given, the text must have that somewhere, too.
    """

    field: str
    lookup: Lookup
    key: str = ""
    sure: bool = False
    also: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """Anchors, one of which holds whenever the condition can; `share` guesses how many events pass."""

    anchors: frozenset[Anchor]
    share: float


def cover_of(node: Node, kind: EventKind, *, blind: bool) -> Cover | None:
    """Find the most selective anchors of a condition; None where it can hold without any.

    `blind` is for records without `detections`: a leaf that is not known can turn out true, so it needs no anchor and has none.
    """
    match node:
        case Leaf():
            return _leaf_cover(node, kind, blind=blind)
        case Named():
            return cover_of(node.child, kind, blind=blind)
        case All():
            covers = [cover for child in node.children if (cover := cover_of(child, kind, blind=blind)) is not None]
            return _unsure(min(covers, key=lambda cover: cover.share, default=None))
        case Some():
            return _union(cover_of(child, kind, blind=blind) for child in node.children)
        case Not() | Lapses():
            return None


def _unsure(cover: Cover | None) -> Cover | None:
    return cover and replace(cover, anchors=frozenset(replace(anchor, sure=False) for anchor in cover.anchors))


def _union(covers: Iterable[Cover | None]) -> Cover | None:
    anchors: set[Anchor] = set()
    share = 0.0
    for cover in covers:
        if cover is None:
            return None
        anchors |= cover.anchors
        share += cover.share
    return Cover(frozenset(anchors), share)


def _leaf_cover(leaf: Leaf, kind: EventKind, *, blind: bool) -> Cover | None:
    asked = [leaf.field, *(test.field for test in leaf.tests if isinstance(test, SameAs))]
    if blind and any(is_enrichment(tuple(name.split("."))) for name in asked):
        return None
    anchors: set[Anchor] = set()
    for test in leaf.tests:
        found = frozenset(_test_anchors(leaf.field, test))
        if not found:
            return None
        anchors |= found
    known = find_field(kind, leaf.field)
    common = known is not None and known.type in {FieldType.ENUM, FieldType.BOOLEAN}
    return Cover(frozenset(anchors), sum(_share(anchor, common=common) for anchor in anchors))


def _test_anchors(field: str, test: Test) -> Iterator[Anchor]:
    match test:
        case Null():
            return
        case Text() if test.literal is not None:
            yield Anchor(field, Lookup.EQUAL, test.literal.casefold(), sure=not test.cased)
        case Text() if (found := _at_an_end(test)) is not None:
            yield Anchor(field, *found, sure=not test.cased)
        case Exists():
            yield Anchor(field, Lookup.SOME, sure=True)
        case Text():
            literals = {part.casefold() for part in test.parts if isinstance(part, str)}
            yield from _has(field, [{literal} for literal in sorted(literals, key=len, reverse=True)])
        case Regex():
            yield from _has(field, required_covers(test.pattern))
        case _:
            yield Anchor(field, Lookup.SOME)


def _at_an_end(text: Text) -> tuple[Lookup, str] | None:
    """Give the lookup that says all that a text with one literal and wildcards around it says; None if there is no such lookup."""
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


def _has(field: str, covers: Sequence[Collection[str]]) -> Iterator[Anchor]:
    """Look for one literal of the first cover that is long enough, and for another one that must be there as well."""
    useful = [cover for cover in covers if min(map(len, cover)) >= _SHORTEST]
    if not useful:
        yield Anchor(field, Lookup.SOME)
        return
    also = next((literal for cover in useful[1:] if len(cover) == 1 for literal in cover), "")
    yield from (Anchor(field, Lookup.HAS, literal, also=also) for literal in useful[0])


def _share(anchor: Anchor, *, common: bool) -> float:
    """Guess the share of events that an anchor lets through."""
    match anchor.lookup:
        case Lookup.SOME:
            return 0.8
        case Lookup.EQUAL:
            return 0.2 if common else 0.0005
        case _:
            return 0.3 if common else 0.3 / (len(anchor.key) + len(anchor.also)) ** 2.5
