"""Which values one field can have, given what is asked of it.

A value that fits, the proof that there is none, or neither.

Sound, not complete: `impossible` is said only where it is certain by the catalogue (a field with
one value has one value; the API may invent enum values). Fitting values are found by trying: the
predicates that evaluate mail judge them, so nothing is believed twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import islice, pairwise
from typing import Any

from clawback.rules.engine.predicates import compile_leaf
from clawback.rules.source.catalogue import Field, FieldType
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
    """What was found for one field.

    `impossible`, or else the `values` that fit (none: it is missing; None: not known which).
    """

    impossible: bool = False
    values: tuple[Any, ...] | None = None


IMPOSSIBLE = ValueDomain(impossible=True)
OPEN = ValueDomain()


def value_domain(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> ValueDomain:
    """Find what a field may hold so that every wanted leaf is true and no unwanted one is."""
    if _is_asked_both(wanted, unwanted):
        return IMPOSSIBLE
    if any(
        isinstance(test, FieldReference) for leaf in (*wanted, *unwanted) for test in leaf.tests
    ):
        return OPEN
    if _fitting((None,), wanted, unwanted):
        return ValueDomain(values=())
    groups = [[leaf] for leaf in wanted] if field.many and wanted else [list(wanted)]
    values: list[Any] = []
    for group in groups:
        value = next(iter(_fitting(_candidates(field, group, unwanted), group, unwanted)), None)
        if value is None:
            return IMPOSSIBLE if _is_exhausted(field, group, unwanted) else OPEN
        values.append(value)
    return ValueDomain(values=tuple(values))


def _is_asked_both(wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> bool:
    return any(_is_leaf_within(yes, no) for yes in wanted for no in unwanted)


def _is_leaf_within(leaf: Leaf, other: Leaf) -> bool:
    if set(leaf.tests) <= set(other.tests):
        return True
    small = len(leaf.tests) * len(other.tests) <= _MOST_PAIRS
    return small and all(any(is_within(test, one) for one in other.tests) for test in leaf.tests)


def _fitting(values: Iterable[Any], wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> list[Any]:
    """Give the first value that fits, if any does."""
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


# ---- trying


def _candidates(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> Iterator[Any]:
    every = (
        *field.values,
        *_stated(wanted),
        *_joined(wanted),
        *_FRESH[field.type],
        *_stated(unwanted),
    )
    finite = any(_is_finite(leaf) for leaf in wanted)
    yield from every if finite else every[:_MOST_CANDIDATES]
    yield from _between(
        test for leaf in (*wanted, *unwanted) for test in leaf.tests if isinstance(test, Number)
    )


def _stated(leaves: Iterable[Leaf]) -> Iterator[Any]:
    for test in (test for leaf in leaves for test in leaf.tests):
        if isinstance(test, Text):
            if test.literal is None:
                yield _written(test, many="x")
            yield _written(test)
        elif isinstance(test, Network):
            network = ip_network(test.cidr, strict=False)
            yield from (str(network[0]), str(network[-1]))


def _written(text: Text, many: str = "") -> str:
    return "".join(
        part if isinstance(part, str) else many if part is Wildcard.MANY else "x"
        for part in text.parts
    )


def _joined(wanted: Sequence[Leaf]) -> Iterator[str]:
    """A text that begins, goes on and ends as all wanted leaves ask, where they agree."""
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
        yield "".join(map(_written, (*heads[-1:], *middle, *tails[-1:])))
        yield "x".join(map(_written, (*heads, *middle, *tails)))


def _between(numbers: Iterable[Number]) -> Iterator[int | float]:
    marks = sorted({test.number for test in numbers})
    yield from marks
    yield from ((low + high) / 2 for low, high in pairwise(marks))
    yield from (marks[0] - 1, marks[-1] + 1) if marks else ()


# ---- proving


def _is_exhausted(field: Field, wanted: Sequence[Leaf], unwanted: Sequence[Leaf]) -> bool:
    """Whether the values that were tried are all that could have fitted."""
    tests = [test for leaf in (*wanted, *unwanted) for test in leaf.tests]
    if field.type is FieldType.BOOLEAN or any(_is_finite(leaf) for leaf in wanted):
        return True
    if field.type is FieldType.NUMBER and all(
        isinstance(test, Number | Null | Exists) for test in tests
    ):
        return True
    if any(is_within(Exists(), test) for leaf in unwanted for test in leaf.tests):
        return True
    return any(_are_apart(one, other) for one, other in _pairs(wanted))


def _is_finite(leaf: Leaf) -> bool:
    return all(
        isinstance(test, Null) or (isinstance(test, Text) and test.literal is not None)
        for test in leaf.tests
    )


def _pairs(leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, Leaf]]:
    return ((one, other) for index, one in enumerate(leaves) for other in leaves[index + 1 :])


def _are_apart(one: Leaf, other: Leaf) -> bool:
    pairs = ((a, b) for a in one.tests for b in other.tests)
    return all(isinstance(a, Text) and isinstance(b, Text) and _clash(a, b) for a, b in pairs)


def _clash(one: Text, other: Text) -> bool:
    """Whether two texts begin, or end, in ways that no one value can."""
    heads = [
        str(text.parts[0]).casefold()
        for text in (one, other)
        if text.parts and not isinstance(text.parts[0], Wildcard)
    ]
    tails = [
        str(text.parts[-1]).casefold()
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
    """Whether every value that passes one test surely passes the other too."""
    match test, other:
        case Null(), _:
            return test == other
        case _, Exists():
            return True
        case Exists(), Text():
            return other.parts == (Wildcard.MANY,)
        case Text(), Text():
            return (test.cased or not other.cased) and _covers(
                _tokens(other, cased=other.cased), _tokens(test, cased=other.cased)
            )
        case Network(), Network():
            inner, outer = ip_network(test.cidr, strict=False), ip_network(other.cidr, strict=False)
            return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
        case _:
            return test == other


Tokens = tuple[str | Wildcard, ...]


def _tokens(text: Text, *, cased: bool) -> Tokens:
    folded = [
        part if isinstance(part, Wildcard) or cased else part.casefold() for part in text.parts
    ]
    return tuple(
        token for part in folded for token in ((part,) if isinstance(part, Wildcard) else part)
    )


def _covers(pattern: Tokens, tokens: Tokens) -> bool:
    """Match a pattern against another pattern.

    `*` takes anything, `?` all but `*`, a character itself. Greedy, in linear space.
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
