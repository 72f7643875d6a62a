"""Converts values that pySigma has parsed to tests; refuses those that are not supported."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import re2
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from clawback.model.normal_text import INVISIBLE, normal_form
from clawback.model.notations import canonical_network
from clawback.model.suggestions import did_you_mean
from clawback.rules.source.condition import (
    Comparison,
    Confusable,
    Exists,
    FieldReference,
    Network,
    Null,
    Number,
    Regex,
    Test,
    Text,
    TimePart,
    TimeUnit,
    Wildcard,
)
from clawback.rules.source.errors import Code
from clawback.rules.source.field_catalogue import CANONICAL_FORMS, Field, FieldType
from clawback.rules.source.lookalike import Lookalike

NO_LOOKAROUND = "RE2 has no look-around and no back-references"
_SILENT = re2.Options()
_SILENT.log_errors = False  # the problem has the message

_COMPARISONS = {
    CompareOperators.LT: Comparison.LT,
    CompareOperators.LTE: Comparison.LTE,
    CompareOperators.GT: Comparison.GT,
    CompareOperators.GTE: Comparison.GTE,
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_WILDS = {SpecialChars.WILDCARD_MULTI: Wildcard.MANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
_ENCODINGS = frozenset({"base64", "base64offset", "wide", "utf16", "utf16be", "windash"})
_ANCHORS = frozenset({"contains", "startswith", "endswith", "expand"})
_MOST_EXPANDED = 100_000
_LARGEST_REGEX = 2_000


class Unsupported(ValueError):
    """A value that Sigma allows and this engine does not, with the code and the remedy."""

    def __init__(self, message: str, remedy: str = "", code: Code = Code.MODIFIER) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code


def tests_of(
    value: SigmaType, item: SigmaDetectionItem, lists: Mapping[str, Sequence[str]]
) -> tuple[Test, ...]:
    """Convert one value to tests, of which any may pass.

    Raises:
        Unsupported: the value is not supported.

    """
    names = {name for name, modifier in modifier_mapping.items() if modifier in item.modifiers}
    _check_combination(names)
    tests = tuple(_tests(value, lists))
    # An encoded string may start with a byte order mark.
    if not names & _ENCODINGS and any(map(_has_hidden, tests)):
        raise Unsupported(
            "the string has invisible characters, which a comparison ignores",
            "add cased, or use re: both see a text as it is",
        )
    return tests


def _check_combination(names: Collection[str]) -> None:
    if "re" in names and (clash := _ANCHORS.intersection(names)):
        remedy = "a regular expression is found anywhere: anchor it with ^ and $"
        raise Unsupported(f"re cannot be combined with {', '.join(sorted(clash))}", remedy)
    if "expand" in names and (clash := _ENCODINGS.intersection(names)):
        raise Unsupported(
            f"expand cannot be combined with {', '.join(sorted(clash))}", "write the values out"
        )


def _tests(value: SigmaType, lists: Mapping[str, Sequence[str]]) -> Iterator[Test]:
    match value:
        case SigmaExpansion():
            for inner in value.values:
                yield from _tests(inner, lists)
        case SigmaString():
            yield from _texts(value, lists)
        case _:
            yield _test(value)


def _test(value: SigmaType) -> Test:
    make = next((make for kind, make in _MAKE if isinstance(value, kind)), None)
    if make is None:
        raise Unsupported(f"the Sigma type {_sigma_name(value)} is not supported")
    return make(value)


def _comparison(value: SigmaCompareExpression) -> Number:
    if value.op not in _COMPARISONS:
        raise Unsupported(
            f"the comparison {value.op.name} is not supported", "use gt, gte, lt, lte, or neq"
        )
    return Number(_COMPARISONS[value.op], value.number.number)


def _regex(value: SigmaRegularExpression) -> Regex:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    pattern = value.regexp.original
    if len(pattern) > _LARGEST_REGEX:
        raise Unsupported(
            f"the regular expression is longer than {_LARGEST_REGEX} characters", "split it"
        )

    regex = Regex(pattern, flags)
    if (problem := regex_problem(regex.expression)) is not None:
        raise Unsupported(problem, NO_LOOKAROUND)
    return regex


def regex_problem(pattern: str) -> str | None:
    """Give the error of RE2 for a pattern; None if it compiles."""
    try:
        re2.compile(pattern, _SILENT)
    except re2.error as error:
        said = error.args[0] if error.args else error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return f"RE2 rejects it: {text}"

    return None


_MAKE: Sequence[tuple[type[SigmaType], Callable[[Any], Test]]] = (
    (SigmaNull, lambda _: Null()),
    (SigmaExists, lambda _: Exists()),
    (SigmaBool, lambda value: Text(("true" if value.boolean else "false",))),
    # Before SigmaNumber, of which it is a subclass.
    (
        SigmaTimestampPart,
        lambda value: TimePart(TimeUnit[value.timestamp_part.name], int(value.number)),
    ),
    (SigmaNumber, lambda value: Number(Comparison.EQ, value.number)),
    (SigmaRegularExpression, _regex),
    (SigmaCIDRExpression, lambda value: Network(str(value.network))),
    (
        SigmaFieldReference,
        lambda value: FieldReference(value.field, value.starts_with, value.ends_with),
    ),
    (SigmaCompareExpression, _comparison),
)


def _texts(value: SigmaString, lists: Mapping[str, Sequence[str]]) -> Iterator[Text]:
    cased = isinstance(value, SigmaCasedString)
    choices = [_choices(part, lists) for part in value.s]
    if prod(map(len, choices)) > _MOST_EXPANDED:
        raise Unsupported(
            f"the placeholders expand to more than {_MOST_EXPANDED} strings",
            "use fewer of them in one value",
        )

    for combination in product(*choices):
        yield Text(_merge(part for parts in combination for part in parts), cased)


def _has_hidden(test: Test) -> bool:
    """Whether a string asks for characters that its normal form does not have.

    Those that emoji and some scripts need are left out, unless nothing else is asked for.
    """
    if not isinstance(test, Text) or test.cased:
        return False
    parts = [part for part in test.parts if isinstance(part, str) and not part.isascii()]
    return any(_HIDDEN.search(part) or not normal_form(part) for part in parts)


_HIDDEN = re.compile(rf"(?=[^\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f]){INVISIBLE.pattern}")


def _choices(
    part: str | SpecialChars | Placeholder, lists: Mapping[str, Sequence[str]]
) -> list[tuple[str | Wildcard, ...]]:
    if isinstance(part, str):
        return [(part,)]
    if isinstance(part, SpecialChars):
        return [(_WILDS[part],)]

    if part.name not in lists:
        raise Unsupported(
            f"there is no list {part.name!r} in rules/lists",
            did_you_mean(part.name, lists),
            Code.PLACEHOLDER,
        )

    return [tuple(_plain(SigmaString(text))) for text in lists[part.name]]


def _plain(text: SigmaString) -> Iterator[str | Wildcard]:
    for part in text.s:
        if isinstance(part, SpecialChars):
            yield _WILDS[part]
        elif isinstance(part, str):
            yield part


def _merge(parts: Iterator[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    joined: list[str | Wildcard] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (
            isinstance(part, str)
            and isinstance(last, str)
            and not isinstance(part, Wildcard)
            and not isinstance(last, Wildcard)
        ):
            joined[-1] = last + part
        # Two `*` in a row are one.
        elif not (part is Wildcard.MANY and last is Wildcard.MANY):
            joined.append(part)

    return tuple(joined)


def _sigma_name(value: SigmaType) -> str:
    """Name a type in Sigma's words instead of pySigma's class names."""
    return type(value).__name__.removeprefix("Sigma").lower()


# ---- tests and field types


def canonical_test(field: Field, test: Test) -> Test:
    """Bring what a test expects into the canonical form of its field, which records are in.

    Parts between wildcards may be incomplete names and stay. Case means nothing in these fields.
    """
    if isinstance(test, Network):
        return Network(canonical_network(test.cidr))
    form = CANONICAL_FORMS.get(field.type)
    if form is None or not isinstance(test, Text):
        return test
    return Text((form(test.literal),) if test.literal else test.parts)


_TEXTS = frozenset(
    {
        FieldType.STRING,
        FieldType.ADDRESS,
        FieldType.DOMAIN,
        FieldType.IP,
        FieldType.ENUM,
        FieldType.TIME,
    }
)


def misfit(field: Field, test: Test) -> str | None:
    """Say why a test does not fit the type of a field; None if it does."""
    if isinstance(test, Text):
        return _text_misfit(field, test)
    types, needs = _NEEDS.get(type(test), (frozenset(FieldType), ""))
    return None if field.type in types else f"{field.name} is {field.type.noun}: {needs}"


_NEEDS: Mapping[type[Test], tuple[frozenset[FieldType], str]] = {
    Confusable: (_TEXTS, "confusable needs a string field"),
    Lookalike: (
        frozenset({FieldType.DOMAIN}),
        "lookalike needs a domain field, such as from_domain",
    ),
    Regex: (_TEXTS, "a regular expression needs a string field"),
    Number: (
        frozenset({FieldType.NUMBER}),
        "a number needs a number field; write a string in quotes",
    ),
    Network: (frozenset({FieldType.IP, FieldType.STRING}), "cidr needs an address field"),
    TimePart: (
        frozenset({FieldType.TIME}),
        "minute, hour, day, week, month and year need a time field",
    ),
    FieldReference: (frozenset(FieldType) - {FieldType.OBJECT}, "name a field below it"),
}
_OBJECT = "{} is an object: only exists and null apply to it; name a field below it"


def _text_misfit(field: Field, text: Text) -> str | None:
    if field.type is FieldType.OBJECT:
        return _OBJECT.format(field.name)
    if field.type is FieldType.BOOLEAN and text.literal not in {"true", "false"}:
        return f"{field.name} is a boolean: it is true or false"
    if field.type is FieldType.NUMBER:
        return f"{field.name} is a number: write it without quotes, or use gt, gte, lt, lte"
    return None


def can_equal(text: Text, values: Sequence[str]) -> bool:
    """Whether a text matches any value of an enum."""
    return any(_matches_value(text, value) for value in values)


def _matches_value(text: Text, value: str) -> bool:
    """Whether a text matches a value of an enum; values are short, so recursion is safe."""
    if not text.cased and text.literal is not None:
        return text.literal.casefold() == value.casefold()

    parts = (
        text.parts
        if text.cased
        else tuple(part.casefold() if isinstance(part, str) else part for part in text.parts)
    )
    return _matches(parts, value if text.cased else value.casefold())


def _matches(parts: tuple[str | Wildcard, ...], value: str) -> bool:
    if not parts:
        return not value

    head, rest = parts[0], parts[1:]
    if head is Wildcard.MANY:
        return any(_matches(rest, value[start:]) for start in range(len(value) + 1))
    if head is Wildcard.ONE:
        return bool(value) and _matches(rest, value[1:])

    return isinstance(head, str) and value.startswith(head) and _matches(rest, value[len(head) :])
