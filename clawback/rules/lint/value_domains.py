"""Finds values that one field can have, given the tests that must pass and those that must fail.

Sound but not complete: a field is called impossible only if the catalogue proves it (the API may
add enum values). Candidate values are checked with the predicates that evaluate mail.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import islice, pairwise
from typing import Any

from clawback.model.normal_text import normal_form
from clawback.rules.engine.predicates import compile_leaf, is_ascii, normalise
from clawback.rules.source.condition import (
    Exists,
    FieldReference,
    Leaf,
    Network,
    Null,
    Number,
    Test,
    Text,
    Wildcard,
)
from clawback.rules.source.field_catalogue import Field, FieldType

_MOST_CANDIDATES = 400
_MOST_PAIRS = 10_000
_FRESH: dict[FieldType, tuple[Any, ...]] = {
    FieldType.STRING: ("other", "x"),
    FieldType.ADDRESS: ("other@other.test",),
    FieldType.DOMAIN: ("other.test",),
    FieldType.IP: ("192.0.2.1", "2001:db8::1"),
    FieldType.ENUM: (),
    FieldType.NUMBER: (0, 1),
    FieldType.BOOLEAN: (True, False),
    FieldType.TIME: ("2026-01-01T00:00:00Z",),
    FieldType.OBJECT: ({},),
}


@dataclass(frozen=True, slots=True)
class ValueDomain:
    """The values of a field that pass: none if the field must be missing, None if unknown."""

    is_impossible: bool = False
    values: tuple[Any, ...] | None = None


_IMPOSSIBLE = ValueDomain(is_impossible=True)
_UNKNOWN = ValueDomain()


def find_values(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> ValueDomain:
    """Find values that make every wanted leaf true and every unwanted one false."""
    if _contradicts_itself(wanted, unwanted):
        return _IMPOSSIBLE
    if any(
        isinstance(test, FieldReference) for leaf in (*wanted, *unwanted) for test in leaf.tests
    ):
        return _UNKNOWN
    # Missing first: the smallest event is the clearest example.
    if _first_passing((None,), wanted, unwanted):
        return ValueDomain(values=())

    # In a field with many values, each leaf may pass for another one.
    groups = [[leaf] for leaf in wanted] if field.many and wanted else [list(wanted)]
    values: list[Any] = []
    for group in groups:
        value = next(
            iter(_first_passing(_candidates(field, group, unwanted), group, unwanted)), None
        )
        if value is None:
            return _IMPOSSIBLE if _is_exhausted(field, group, unwanted) else _UNKNOWN
        values.append(value)

    return ValueDomain(values=tuple(values))


def _contradicts_itself(wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> bool:
    return any(_is_leaf_within(yes, no) for yes in wanted for no in unwanted)


def _is_leaf_within(leaf: Leaf, other: Leaf) -> bool:
    if set(leaf.tests) <= set(other.tests):
        return True
    small = len(leaf.tests) * len(other.tests) <= _MOST_PAIRS
    return small and all(any(is_within(test, one) for one in other.tests) for test in leaf.tests)


def _first_passing(
    values: Iterable[Any], wanted: Sequence[Leaf], unwanted: Sequence[Leaf]
) -> list[Any]:
    """Give the first value that passes, or nothing."""
    wants, refuses = (
        [compile_leaf(Leaf("_", leaf.tests)) for leaf in leaves] for leaves in (wanted, unwanted)
    )
    records = ({"_": value} for value in values)
    fits = (
        one["_"]
        for one in records
        if all(want(one) for want in wants) and not any(refuse(one) for refuse in refuses)
    )

    return list(islice(fits, 1))


# ---- candidates


def _candidates(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> Iterator[Any]:
    every = (
        *field.values,
        *_mentioned(wanted),
        *_combined(wanted),
        *_FRESH[field.type],
        *_mentioned(unwanted),
    )
    finite = any(_is_finite(leaf) for leaf in wanted)
    yield from every if finite else every[:_MOST_CANDIDATES]
    yield from _between(
        test for leaf in (*wanted, *unwanted) for test in leaf.tests if isinstance(test, Number)
    )


def _mentioned(leaves: Iterable[Leaf]) -> Iterator[Any]:
    for test in (test for leaf in leaves for test in leaf.tests):
        if isinstance(test, Text):
            if test.literal is None:
                yield _instance_of(test, many="x")
            yield _instance_of(test)
        elif isinstance(test, Network):
            network = ip_network(test.cidr, strict=False)
            yield from (str(network[0]), str(network[-1]))


def _instance_of(text: Text, many: str = "") -> str:
    return "".join(
        part if isinstance(part, str) else many if part is Wildcard.MANY else "x"
        for part in text.parts
    )


def _combined(wanted: Sequence[Leaf]) -> Iterator[str]:
    """Join the texts of all wanted leaves: the longest prefix, the middles, the longest suffix."""
    texts = [next((test for test in leaf.tests if isinstance(test, Text)), None) for leaf in wanted]
    some = [text for text in texts if text is not None]
    heads = [text for text in some if text.parts and not isinstance(text.parts[0], Wildcard)]
    tails = [
        text
        for text in some
        if text.parts and not isinstance(text.parts[-1], Wildcard) and text not in heads
    ]
    middle = [text for text in some if text not in heads and text not in tails]
    heads.sort(
        key=lambda text: len(
            text.parts[0].value if isinstance(text.parts[0], Wildcard) else text.parts[0]
        )
    )

    if some:
        yield "".join(map(_instance_of, (*heads[-1:], *middle, *tails[-1:])))
        yield "x".join(map(_instance_of, (*heads, *middle, *tails)))


def _between(numbers: Iterable[Number]) -> Iterator[int | float]:
    marks = sorted({test.number for test in numbers})
    yield from marks
    yield from ((low + high) / 2 for low, high in pairwise(marks))
    yield from (marks[0] - 1, marks[-1] + 1) if marks else ()


# ---- proofs of impossibility


def _is_exhausted(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> bool:
    """Whether the candidates were all the values that could pass."""
    tests = [test for leaf in (*wanted, *unwanted) for test in leaf.tests]
    if field.type is FieldType.BOOLEAN or any(_is_finite(leaf) for leaf in wanted):
        return True
    if field.type is FieldType.NUMBER and all(
        isinstance(test, Number | Null | Exists) for test in tests
    ):
        return True
    if any(is_within(Exists(), test) for leaf in unwanted for test in leaf.tests):
        return True

    return any(_are_disjoint(one, other) for one, other in _pairs(wanted))


def _is_finite(leaf: Leaf) -> bool:
    return all(
        isinstance(test, Null) or (isinstance(test, Text) and test.literal is not None)
        for test in leaf.tests
    )


def _pairs(leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, Leaf]]:
    return ((one, other) for index, one in enumerate(leaves) for other in leaves[index + 1 :])


def _are_disjoint(one: Leaf, other: Leaf) -> bool:
    pairs = ((a, b) for a in one.tests for b in other.tests)
    return all(
        isinstance(a, Text) and isinstance(b, Text) and _have_disjoint_ends(a, b) for a, b in pairs
    )


def _have_disjoint_ends(one: Text, other: Text) -> bool:
    """Whether no value can have the prefixes, or the suffixes, of both texts."""
    if one.cased or other.cased or not (is_ascii(one) and is_ascii(other)):
        return False  # what they see of a value is not the same form
    heads = [
        normal_form(str(text.parts[0]))
        for text in (one, other)
        if text.parts and not isinstance(text.parts[0], Wildcard)
    ]
    tails = [
        normal_form(str(text.parts[-1]))
        for text in (one, other)
        if text.parts and not isinstance(text.parts[-1], Wildcard)
    ]
    both = len((one, other))
    starts = (
        len(heads) == both
        and not heads[0].startswith(heads[1])
        and not heads[1].startswith(heads[0])
    )
    ends = (
        len(tails) == both and not tails[0].endswith(tails[1]) and not tails[1].endswith(tails[0])
    )

    return starts or ends


def is_within(test: Test, other: Test) -> bool:
    """Whether every value that passes one test also passes the other."""
    match test, other:
        case Null(), _:
            return test == other
        case _, Exists():
            return True
        case Exists(), Text():
            return other.parts == (Wildcard.MANY,)
        case Text(), Text():
            return _is_text_within(test, other)
        case Network(), Network():
            inner, outer = ip_network(test.cidr, strict=False), ip_network(other.cidr, strict=False)
            is_comparable = inner.version == outer.version
            return is_comparable and inner.subnet_of(outer)  # type: ignore[arg-type]
        case _:
            return test == other


def _is_text_within(text: Text, other: Text) -> bool:
    if text.cased is other.cased:
        return _covers(_tokens(other), _tokens(text))
    # Only for a whole value is its normal form known.
    return (
        text.literal is not None
        and not other.cased
        and _covers(_tokens(other), tuple(normal_form(text.literal)))
    )


Tokens = tuple[str | Wildcard, ...]


def _tokens(text: Text) -> Tokens:
    parts = text.parts if text.cased else normalise(text).parts
    return tuple(
        token for part in parts for token in ((part,) if isinstance(part, Wildcard) else part)
    )


def _covers(pattern: Tokens, tokens: Tokens) -> bool:
    """Whether one pattern matches all that another one does.

    `*` covers anything, `?` covers anything but `*`, a character covers itself. Greedy, without
    recursion: on a mismatch the last `*` takes one more token.
    """
    at, here, star, mark = 0, 0, -1, 0
    while here < len(tokens):
        if at < len(pattern) and pattern[at] is Wildcard.MANY:
            star, mark, at = at, here, at + 1
        elif (
            at < len(pattern)
            and tokens[here] is not Wildcard.MANY
            and (pattern[at] is Wildcard.ONE or pattern[at] == tokens[here])
        ):
            at, here = at + 1, here + 1
        elif star >= 0:
            mark += 1
            at, here = star + 1, mark
        else:
            return False

    return all(token is Wildcard.MANY for token in pattern[at:])
