"""Compiles leaves to Python predicates: functions from a record to true, false or None (unknown).

A predicate never raises. It answers None if its field comes from an enrichment that has not been
read.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

import re2

from clawback.model.normal_text import NORMAL_FORMS, normal_form
from clawback.model.notations import IPNetwork, parse_ip, unicode_domain
from clawback.model.times import parse_time
from clawback.rules.engine.field_values import (
    Record,
    as_number,
    as_text,
    enrichment_of,
    has_value,
    is_derived,
    is_unknown,
    known_by,
    reader_of,
)
from clawback.rules.engine.likeness import likeness_checks
from clawback.rules.engine.wildcards import any_passes, match_any, match_parts
from clawback.rules.source.condition import (
    Comparison,
    Confusable,
    Exists,
    FieldReference,
    Leaf,
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
from clawback.rules.source.lookalike import Lookalike
from clawback.rules.source.unicode_regex import translate

Predicate = Callable[[Record], bool | None]
Check = Callable[[Any], bool]
"""A test of one scalar value."""


@lru_cache(maxsize=4096)
def compile_leaf(leaf: Leaf) -> Predicate:
    """Compile one leaf.

    Cached, so that rules that ask the same share one function, which stays in the CPU's cache.
    """
    path = tuple(leaf.field.split("."))
    references = [test for test in leaf.tests if isinstance(test, FieldReference)]
    others = tuple(test for test in leaf.tests if test not in references)
    if references:
        predicates = [_compare_fields(path, test) for test in references]
        return _any_of(
            [*predicates, compile_leaf(Leaf(leaf.field, others))] if others else predicates
        )

    check = compile_tests(others)
    if is_derived(path):
        return _derived(path, check)
    is_plain = len(path) == 1 and enrichment_of(path) is None
    return _plain(path[0], check) if is_plain else _nested(path, check)


def _plain(name: str, check: Check) -> Predicate:
    def predicate(record: Record) -> bool:
        value = record.get(name)
        if value.__class__ is list:
            return has_value(value, (), check)
        return check(value)

    return predicate


def _nested(path: tuple[str, ...], check: Check) -> Predicate:
    can_be_unknown = enrichment_of(path) is not None

    def predicate(record: Record) -> bool | None:
        if can_be_unknown and is_unknown(record, path):
            return None
        return has_value(record, path, check)

    return predicate


def _derived(path: tuple[str, ...], check: Check) -> Predicate:
    can_be_unknown, known = enrichment_of(path) is not None, known_by(path)
    read = reader_of(path)

    def predicate(record: Record) -> bool | None:
        if can_be_unknown and is_unknown(record, known):
            return None
        return any(map(check, read(record)))

    return predicate


def _any_of(predicates: list[Predicate]) -> Predicate:
    def predicate(record: Record) -> bool | None:
        answers = [one(record) for one in predicates]
        return True if True in answers else None if None in answers else False

    return predicate


def _compare_fields(path: tuple[str, ...], test: FieldReference) -> Predicate:
    other = tuple(test.field.split("."))
    compare = _FIELD_COMPARISONS[test.starts, test.ends]
    read, read_other = reader_of(path), reader_of(other)
    known, other_known = known_by(path), known_by(other)

    def predicate(record: Record) -> bool | None:
        if is_unknown(record, known) or is_unknown(record, other_known):
            return None
        wanted = _folded_texts(read_other(record))
        if not wanted:
            return False
        return any(compare(text, one) for text in _folded_texts(read(record)) for one in wanted)

    return predicate


_FIELD_COMPARISONS: Mapping[tuple[bool, bool], Callable[[str, str], bool]] = {
    (False, False): lambda text, other: text == other,
    (True, False): lambda text, other: text.startswith(other),
    (False, True): lambda text, other: text.endswith(other),
    (True, True): lambda text, other: other in text,
}


def _folded_texts(values: Iterable[Any]) -> list[str]:
    texts = (as_text(value) for value in values)
    return [NORMAL_FORMS[text] for text in texts if text is not None]


# ---- tests of one value


def compile_tests(tests: tuple[Test, ...]) -> Check:
    """Compile the tests of a leaf to one check that passes if any of them does."""
    checks = [
        *_text_checks([test for test in tests if isinstance(test, Text)]),
        *(_check(test) for test in tests if not isinstance(test, _GROUPED)),
        *_regex_checks([test for test in tests if isinstance(test, Regex)]),
        *likeness_checks([test for test in tests if isinstance(test, Confusable | Lookalike)]),
    ]
    return any_passes(checks)


_GROUPED = Text | Regex | Confusable | Lookalike


def _check(test: Test) -> Check:
    match test:
        case Null():
            return lambda value: value is None
        case Exists():
            return lambda value: value is not None
        case Number():
            return _compare_number(test)
        case Network():
            return _contain_address(ip_network(test.cidr))
        case TimePart():
            return _compare_time_part(test)
        case _:
            raise TypeError(test)


def _compare_number(test: Number) -> Check:
    compare = _COMPARISONS[test.comparison]
    wanted = test.number

    def check(value: Any) -> bool:
        number = value if value.__class__ is float or value.__class__ is int else as_number(value)
        return number is not None and compare(number, wanted)

    return check


_COMPARISONS: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
}


def _contain_address(network: IPNetwork) -> Check:
    def check(value: Any) -> bool:
        address = parse_ip(value) if isinstance(value, str) else None
        return address is not None and address in network

    return check


def _compare_time_part(test: TimePart) -> Check:
    def check(value: Any) -> bool:
        time = parse_time(value)
        if time is None:
            return False
        part = time.isocalendar().week if test.unit is TimeUnit.WEEK else getattr(time, test.unit)
        return bool(part == test.number)

    return check


# ---- regular expressions


def match_any_regex(expressions: Sequence[str]) -> Callable[[str], Sequence[int] | None]:
    """Compile RE2 expressions to a function that gives the numbers of those found in a text.

    `re2.Filter` looks for literals that the expressions cannot match without, all in one pass, and
    runs only the expressions that are left. None if nothing is found. In a text of other scripts
    their classes and boundaries have Unicode's meaning; in ASCII that is RE2's own.
    """
    translated = [translate(expression).pattern for expression in expressions]
    in_ascii = _compile_filter(expressions)
    in_unicode = _compile_filter(translated) if translated != list(expressions) else in_ascii

    def match(text: str) -> Sequence[int] | None:
        if text.isascii():
            return in_ascii(text.encode())
        return in_unicode(text.encode("utf-8", "replace"))

    return match


def _compile_filter(expressions: Sequence[str]) -> Callable[[bytes], Sequence[int] | None]:
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    filter_ = re2.Filter()

    for expression in expressions:
        filter_.Add(expression, options)

    filter_.Compile()
    match: Callable[[bytes], Sequence[int] | None] = filter_.Match
    return match


def required_literals(expression: str) -> tuple[str, ...]:
    """Give casefolded literals of every text that an RE2 expression matches, longest first.

    To search them in Python costs a tenth of a call of RE2. Expressions with groups, classes or
    alternatives give none: they are not worth a parser, and `re2.Filter` has one.
    """
    plain = _SIMPLE_ESCAPE.sub(".", expression.removeprefix("(?i)"))
    if _STRUCTURE.search(plain):
        return ()
    literals = {piece.casefold() for piece in _NO_LITERAL.split(plain) if piece}
    return tuple(sorted(literals, key=lambda literal: (-len(literal), literal)))


_SIMPLE_ESCAPE = re.compile(r"\\[bBdDsSwW.]")
_STRUCTURE = re.compile(r"[\\|()\[\]]")
# What may be missing, and everything but ASCII words, about whose case RE2 and Python agree.
_NO_LITERAL = re.compile(r".(?:[?*]|\{[^}]*\})|[^A-Za-z0-9 @_-]", re.DOTALL)


def _regex_checks(tests: Sequence[Regex]) -> Iterator[Check]:
    """Compile all expressions of a leaf to one check."""
    expressions = [test.expression for test in tests]
    if not expressions:
        return

    match = match_any_regex(expressions)
    required = [required_literals(expression) for expression in expressions]
    has_literals = all(required)

    def check(value: Any) -> bool:
        text = value if value.__class__ is str else as_text(value)
        if text is None or (has_literals and not _contain_all_of_any(text.casefold(), required)):
            return False
        return match(text) is not None

    yield check


def _contain_all_of_any(text: str, required: Sequence[Sequence[str]]) -> bool:
    """Whether a text contains all literals of any of the sequences."""
    for literals in required:
        for literal in literals:
            if literal not in text:
                break
        else:
            return True
    return False


# ---- texts


def _text_checks(texts: Sequence[Text]) -> Iterator[Check]:
    """Compile all texts of a leaf."""
    yield from (_match_cased(text) for text in texts if text.cased)

    normal = [normalise(text) for text in texts if not text.cased]
    if ascii_texts := [text for text in normal if is_ascii(text)]:
        yield _normal_check(ascii_texts)
    if others := [text for text in normal if not is_ascii(text)]:
        yield _also_in_unicode(_normal_check(others))


def _normal_check(texts: Sequence[Text]) -> Check:
    """Compile texts in their normal form to one check of the normal form of a value.

    In ASCII, blanks are all that differs from lower case, and a literal without any finds none.
    """
    matches = match_any([text.parts for text in texts])
    # A `?` may stand for a blank.
    has_blanks = any(
        part is Wildcard.ONE or " " in str(part) for text in texts for part in text.parts
    )

    def check(value: Any) -> bool:
        text = value if value.__class__ is str else as_text(value)
        if text is None:
            return False
        is_lower = text.isascii() and not has_blanks
        return matches(text.lower() if is_lower else NORMAL_FORMS[text])

    return check


def normalise(text: Text) -> Text:
    """Give a text with the normal form of each of its parts, for texts in their normal form."""
    parts = (part if isinstance(part, Wildcard) else normal_form(part) for part in text.parts)
    return Text(tuple(parts))


def is_ascii(text: Text) -> bool:
    """Whether a text has only ASCII characters."""
    return all(isinstance(part, Wildcard) or part.isascii() for part in text.parts)


def _also_in_unicode(check: Check) -> Check:
    """Check a value also with its international domain names as people see them."""

    def passes(value: Any) -> bool:
        if check(value):
            return True
        return isinstance(value, str) and check(unicode_domain(value))

    return passes


def literal_inside(text: Text) -> str | None:
    """Give the literal of a text of the form `*literal*`."""
    match text.parts:
        case (Wildcard.MANY, str() as literal, Wildcard.MANY):
            return literal
        case _:
            return None


def _match_cased(text: Text) -> Check:
    matches = match_parts(text.parts)
    return lambda value: (text := as_text(value)) is not None and matches(text)
