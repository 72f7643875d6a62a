"""Derives prefilters from conditions: lookups in fields, of which one must succeed for a match.

The index runs the lookups of all rules at once and evaluates only the conditions whose prefilter
succeeds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from clawback.model.events import Enrichment, EventKind
from clawback.model.normal_text import normal_form
from clawback.rules.engine.field_values import enrichment_of
from clawback.rules.engine.predicates import required_literals
from clawback.rules.source.condition import (
    And,
    Confusable,
    Element,
    Exists,
    ExpiredAfter,
    Leaf,
    Named,
    Node,
    Not,
    Null,
    Or,
    Regex,
    Test,
    Text,
    Wildcard,
    children_of,
    replace_children,
)
from clawback.rules.source.field_catalogue import FieldType, find_field
from clawback.rules.source.lookalike import Lookalike

# A shorter one is part of most texts.
_SHORTEST_LITERAL = 3


Missing = frozenset[Enrichment]
"""The enrichments that a record does not have."""


class Lookup(StrEnum):
    """What is looked up in a field. The first four compare normal forms."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    MATCHES = "matches"
    LOOKS_LIKE = "looks like"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Prefilter:
    """One lookup: the field equals, contains, … `key`, or looks like what `likeness` says."""

    field: str
    lookup: Lookup
    key: str = ""
    likeness: Confusable | Lookalike | None = None


@dataclass(frozen=True, slots=True)
class PrefilterSet:
    """Alternative prefilters of one condition, and the estimated share of events that pass them.

    Each is mapped to whether it is exact: then the condition holds where the lookup succeeds, and
    needs no evaluation.
    """

    exact: Mapping[Prefilter, bool]
    share: float

    @property
    def inexact(self) -> "PrefilterSet":
        """The same where the condition must be evaluated anyway."""
        return PrefilterSet(dict.fromkeys(self.exact, False), self.share)


def prefilters_of(node: Node, kind: EventKind, *, missing: Missing) -> PrefilterSet | None:
    """Find the most selective prefilters of a condition; None if it can hold without any.

    A leaf that asks for a `missing` enrichment is unknown, which a prefilter must not rule out.
    """
    match node:
        case Leaf():
            return _of_leaf(node, kind, missing=missing)
        case Element():
            return _of_element(node, kind, missing=missing)
        case Named():
            return prefilters_of(node.child, kind, missing=missing)
        case And():
            return _most_selective(tuple(_clauses_of(node)), kind, missing=missing)
        case Or():
            return _union(prefilters_of(child, kind, missing=missing) for child in node.children)
        case Not() | ExpiredAfter():
            return None


def _clauses_of(node: Node) -> Iterator[Node]:
    match node:
        case Named():
            yield from _clauses_of(node.child)
        case And():
            for child in node.children:
                yield from _clauses_of(child)
        case _:
            yield node


def _most_selective(
    clauses: tuple[Node, ...], kind: EventKind, *, missing: Missing
) -> PrefilterSet | None:
    """Choose one clause of a conjunction; its prefilters are exact only if it is the only one."""
    found = (prefilters_of(clause, kind, missing=missing) for clause in clauses)
    best = min(filter(None, found), key=lambda one: one.share, default=None)
    if best is None or len(clauses) == 1:
        return best
    return best.inexact


def _union(alternatives: Iterable[PrefilterSet | None]) -> PrefilterSet | None:
    exact: dict[Prefilter, bool] = {}
    share = 0.0
    for one in alternatives:
        if one is None:
            return None  # this alternative can hold on its own
        # Exact for one alternative is enough: where the lookup succeeds, that one holds.
        exact |= {key: value or exact.get(key, False) for key, value in one.exact.items()}
        share += one.share

    return PrefilterSet(exact, share)


def _of_leaf(leaf: Leaf, kind: EventKind, *, missing: Missing) -> PrefilterSet | None:
    if any(enrichment_of(tuple(name.split("."))) in missing for name in leaf.fields):
        return None
    known = find_field(kind, leaf.field)
    has_few_values = known is not None and known.type in {FieldType.ENUM, FieldType.BOOLEAN}
    found = (_of_test(leaf.field, test, has_few_values=has_few_values) for test in leaf.tests)
    return _union(found)


def _of_element(node: Element, kind: EventKind, *, missing: Missing) -> PrefilterSet | None:
    """Look for what one element must have, in any of them; only evaluation says if it is one."""
    if any(enrichment_of(tuple(name.split("."))) in missing for name in node.fields):
        return None
    found = prefilters_of(_below(node.child, node.field), kind, missing=missing)
    # Without an element, nothing holds.
    found = found or _of_test(node.field, Exists(), has_few_values=False)
    return None if found is None else found.inexact


def _below(node: Node, parent: str) -> Node:
    """Give the condition on an element as one on the event, which is weaker."""
    if isinstance(node, Leaf):
        return node.below(parent)
    return replace_children(node, tuple(_below(one, parent) for one in children_of(node)))


def _of_test(field: str, test: Test, *, has_few_values: bool) -> PrefilterSet | None:
    likeness = None
    match test:
        case Null():
            return None
        case Confusable() | Lookalike():
            lookup, key, exact = Lookup.LOOKS_LIKE, "", True
            likeness = test
        case Text():
            lookup, key, is_whole = _literal_lookup(test)
            # Another script is also looked for in domain names, as people see them.
            exact = is_whole and not test.cased and key.isascii()
        case Regex():
            lookup, key, exact = _regex_lookup(test)
        case _:
            lookup, key, exact = Lookup.EXISTS, "", isinstance(test, Exists)

    prefilter = Prefilter(field, lookup, key, likeness)
    return PrefilterSet({prefilter: exact}, _estimate_share(prefilter, has_few_values))


def _regex_lookup(regex: Regex) -> tuple[Lookup, str, bool]:
    """Look for a literal of a simple expression, which costs no call of RE2."""
    literals = required_literals(regex.expression)
    if not literals or len(literals[0]) < _SHORTEST_LITERAL:
        return Lookup.MATCHES, regex.expression, True
    return Lookup.CONTAINS, literals[0], False


def _literal_lookup(text: Text) -> tuple[Lookup, str, bool]:
    """Choose the lookup of a text, its key, and whether it says all that the text says."""
    fold = str.casefold if text.cased else normal_form
    if text.literal is not None:
        return Lookup.EQUALS, fold(text.literal), True

    match text.parts:
        case (str() as literal, Wildcard.MANY):
            lookup, is_whole = Lookup.STARTS_WITH, True
        case (Wildcard.MANY, str() as literal):
            lookup, is_whole = Lookup.ENDS_WITH, True
        case parts:
            literal = max((part for part in parts if isinstance(part, str)), key=len, default="")
            lookup = Lookup.CONTAINS
            is_whole = parts == (Wildcard.MANY, literal, Wildcard.MANY)

    folded = fold(literal)
    if len(folded) < _SHORTEST_LITERAL:
        return Lookup.EXISTS, "", False

    return lookup, folded, is_whole


def _estimate_share(prefilter: Prefilter, has_few_values: bool) -> float:  # noqa: FBT001 - private
    """Guess the share of events that pass a prefilter; only the order of the guesses matters."""
    match prefilter.lookup:
        case Lookup.EXISTS:
            return 0.8
        case Lookup.LOOKS_LIKE:
            return 0.5  # rare, but slow: better asked of the few that a verdict leaves
        case Lookup.EQUALS:
            return 0.2 if has_few_values else 0.0005
        case Lookup.MATCHES:
            return 0.3 if has_few_values else 0.01
        case _:
            return 0.3 if has_few_values else 0.3 / len(prefilter.key) ** 2.5
