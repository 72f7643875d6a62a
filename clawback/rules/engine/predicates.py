"""Leaves as Python predicates: compiled once, then a plain function of a record.

A record is JSON of unknown quality; a predicate never raises. It answers true or false, or None
(not known) where the field comes from `/detections` and that answer is not there yet. A list
matches if any element does; missing, null and an empty list are one null value.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import re2

from clawback.model.times import parse_time
from clawback.rules.engine.literals import required_covers
from clawback.rules.source.catalogue import ENRICHMENT
from clawback.rules.source.condition import (
    Comparison,
    Exists,
    Leaf,
    Network,
    Null,
    Number,
    Regex,
    SameAs,
    Test,
    Text,
    TimePart,
    TimeUnit,
    Wild,
)

Record = Mapping[str, Any]
Predicate = Callable[[Record], bool | None]
Check = Callable[[Any], bool]

_MANY_CHECKS = 4
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30})(?:\.[0-9]{1,30})?")
_MEMORY = 4096


def values_of(record: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Give every value of a field.

    Lists fan out at every step; a missing one and an empty list give None.
    """
    pending: list[tuple[Any, int]] = [(record, 0)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, list):
            if not node:
                yield None
            pending.extend((item, depth) for item in reversed(node))
        elif depth == len(path):
            yield node
        elif isinstance(node, Mapping):
            pending.append((node.get(path[depth]), depth + 1))
        else:
            yield None


def all_values(node: Any, path: tuple[str, ...]) -> Sequence[Any]:
    """Give the same as `values_of`, all at once; quicker where nothing is nested oddly."""
    for depth, name in enumerate(path):
        if node.__class__ is not dict:
            return _fanned_out(node, path[depth:])
        node = node.get(name)
    return _fanned_out(node, ()) if node.__class__ is list else (node,)


def _fanned_out(node: Any, path: tuple[str, ...]) -> Sequence[Any]:
    if node.__class__ is not list or not node:
        return tuple(values_of(node, path))
    values: list[Any] = []
    for item in node:
        if item.__class__ is str and not path:
            values.append(item)
        else:
            values += all_values(item, path) if item.__class__ is dict else values_of(item, path)
    return values


def any_value(node: Any, path: tuple[str, ...], check: Check) -> bool:
    """Whether a check holds for any value of a field."""
    for value in all_values(node, path):  # noqa: SIM110
        if check(value):
            return True
    return False


def is_unknown(record: Record, path: tuple[str, ...]) -> bool:
    """Whether a field's value can only be known once `/detections` has been read."""
    if path[0] == ENRICHMENT:
        return ENRICHMENT not in record
    if path[:2] == ("message", ENRICHMENT):
        message = record.get("message")
        return isinstance(message, Mapping) and ENRICHMENT not in message
    return False


def as_text(value: Any) -> str | None:
    """Write a scalar as the text that rules compare.

    `true`, `5`, `0.5`; None for null and for objects.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value) if isinstance(value, int | float) and abs(value) < _HUGE else None


_HUGE = 10**300


def as_number(value: Any) -> int | float | None:
    """Read a scalar as a number; texts count where they are plain decimal numbers."""
    if isinstance(value, str):
        return (float(value) if "." in value else int(value)) if _NUMBER.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@lru_cache(maxsize=4096)
def compile_leaf(leaf: Leaf) -> Predicate:
    """Compile one leaf; rules that ask the same share it, which keeps it in the processor's cache."""
    path = tuple(leaf.field.split("."))
    references = [test for test in leaf.tests if isinstance(test, SameAs)]
    if references:
        return _either_of(
            path,
            [_same_as(path, test) for test in references],
            [test for test in leaf.tests if test not in references],
        )
    check = compile_tests(leaf.tests)
    if len(path) == 1 and path[0] != ENRICHMENT:
        return _plain(path[0], check)
    return _deep(path, check)


def _plain(name: str, check: Check) -> Predicate:
    def predicate(record: Record) -> bool:
        value = record.get(name)
        if value.__class__ is list:
            return any_value(value, (), check)
        return check(value)

    return predicate


def _deep(path: tuple[str, ...], check: Check) -> Predicate:
    asks = is_enrichment(path)

    def predicate(record: Record) -> bool | None:
        if asks and is_unknown(record, path):
            return None
        return any_value(record, path, check)

    return predicate


def is_enrichment(path: tuple[str, ...]) -> bool:
    """Whether a field comes from `/detections`."""
    return path[0] == ENRICHMENT or path[:2] == ("message", ENRICHMENT)


def _either_of(path: tuple[str, ...], predicates: list[Predicate], tests: list[Test]) -> Predicate:
    every = [*predicates, _deep(path, compile_tests(tuple(tests)))] if tests else predicates

    def predicate(record: Record) -> bool | None:
        answers = [one(record) for one in every]
        return True if True in answers else None if None in answers else False

    return predicate


# ---- tests of one value


def compile_tests(tests: tuple[Test, ...]) -> Check:
    """Compile the tests of a leaf into one check of one scalar; any of them may hold."""
    checks = [*_text_checks(tests), *(_check(test) for test in tests if not isinstance(test, Text))]
    if len(checks) == 1:
        return checks[0]
    return lambda value: any(check(value) for check in checks)


def _text_checks(tests: tuple[Test, ...]) -> Iterator[Check]:
    texts = [test for test in tests if isinstance(test, Text)]
    equal = frozenset(
        text.literal.casefold() for text in texts if not text.cased and text.literal is not None
    )
    if equal:
        yield _equals(equal)
    inner = tuple(
        dict.fromkeys(
            found.casefold()
            for text in texts
            if not text.cased and (found := contained(text)) is not None
        )
    )
    if inner:
        yield _contains(inner)
    for text in texts:
        if text.cased or (text.literal is None and contained(text) is None):
            yield _pattern(text)


def contained(text: Text) -> str | None:
    """Give the literal of a text of the form `*literal*`."""
    match text.parts:
        case (Wild.MANY, str() as literal, Wild.MANY):
            return literal
        case _:
            return None


def _equals(wanted: frozenset[str]) -> Check:
    if len(wanted) == 1:
        (only,) = wanted

        def check_one(value: Any) -> bool:
            if value.__class__ is str:
                return bool(value.casefold() == only)
            text = as_text(value)
            return text is not None and text.casefold() == only

        return check_one

    def check(value: Any) -> bool:
        if value.__class__ is str:
            return value.casefold() in wanted
        text = as_text(value)
        return text is not None and text.casefold() in wanted

    return check


def _contains(wanted: tuple[str, ...]) -> Check:
    first = wanted[0]
    if len(wanted) == 1:
        return _on_text(lambda text: first in text, cased=False)
    return _on_text(lambda text: _has_any(text, wanted), cased=False)


def _pattern(text: Text) -> Check:
    parts = tuple(
        part if isinstance(part, Wild) or text.cased else part.casefold() for part in text.parts
    )
    match parts:
        case (str() as head, Wild.MANY):
            return _on_text(lambda value: value.startswith(head), cased=text.cased)
        case (Wild.MANY, str() as tail):
            return _on_text(lambda value: value.endswith(tail), cased=text.cased)
        case (Wild.MANY, str() as middle, Wild.MANY):
            return _on_text(lambda value: middle in value, cased=text.cased)
        case _:
            return _on_text(_wildcards(parts), cased=text.cased)


def _wildcards(parts: tuple[str | Wild, ...]) -> Callable[[str], bool]:
    literals = tuple(part for part in parts if isinstance(part, str))
    if parts[:1] == parts[-1:] == (Wild.MANY,) and Wild.ONE not in parts:
        return lambda text: _has_in_turn(text, literals)
    found = re.compile(wildcard_pattern(parts), re.DOTALL).match
    needed = max(literals, key=len, default="")
    return lambda text: needed in text and found(text) is not None


def _has_in_turn(text: str, literals: tuple[str, ...]) -> bool:
    at = 0
    for literal in literals:
        at = text.find(literal, at)
        if at < 0:
            return False
        at += len(literal)
    return True


def _on_text(holds: Callable[[str], bool], *, cased: bool) -> Check:
    if cased:
        return lambda value: (text := as_text(value)) is not None and holds(text)

    def check(value: Any) -> bool:
        text = value if value.__class__ is str else as_text(value)
        return text is not None and holds(text.casefold())

    return check


def wildcard_pattern(parts: tuple[str | Wild, ...]) -> str:
    """Write a text with wildcards as a regular expression that never backtracks over a `*` it has passed."""
    segments: list[str] = [""]
    for part in parts:
        if part is Wild.MANY:
            segments.append("")
        else:
            segments[-1] += "." if part is Wild.ONE else re.escape(str(part))
    if len(segments) == 1:
        return rf"{segments[0]}\Z"
    head, *middle, tail = segments
    return head + "".join(f"(?>.*?{segment})" for segment in middle if segment) + rf".*{tail}\Z"


def _check(test: Test) -> Check:
    match test:
        case Null():
            return lambda value: value is None
        case Exists():
            return lambda value: value is not None
        case Number():
            return _number(test)
        case Regex():
            return _regex(test)
        case Network():
            return _network(ip_network(test.cidr))
        case TimePart():
            return _time_part(test)
        case _:
            raise TypeError(test)


def _number(test: Number) -> Check:
    compare = _COMPARE[test.comparison]
    wanted = test.number

    def check(value: Any) -> bool:
        number = value if value.__class__ is float or value.__class__ is int else as_number(value)
        return number is not None and compare(number, wanted)

    return check


_COMPARE: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
}


def _regex(test: Regex) -> Check:
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    found = re2.compile(anywhere_pattern(test), options).match
    covers = tuple(tuple(cover) for cover in required_covers(test.pattern))

    def check(value: Any) -> bool:
        text = value if value.__class__ is str else as_text(value)
        if text is None or (covers and not _has_all(text.casefold(), covers)):
            return False
        return found(text.encode("utf-8", "replace")) is not None

    return check


def anywhere_pattern(regex: Regex) -> str:
    """Write a regular expression as one that is found from the start of a text, which costs RE2 half of looking for where it begins."""
    return f"(?s:.*?)(?{regex.flags}:{regex.pattern})"


def _has_all(text: str, covers: tuple[tuple[str, ...], ...]) -> bool:
    for literals in covers:
        for literal in literals:
            if literal in text:
                break
        else:
            return False
    return True


def _has_any(text: str, literals: tuple[str, ...]) -> bool:
    for literal in literals:  # noqa: SIM110 - a generator costs more than the loop
        if literal in text:
            return True
    return False


def _network(network: IPv4Network | IPv6Network) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ip_address(value.strip()) in network
        except ValueError:
            return False

    return check


def _time_part(test: TimePart) -> Check:
    def check(value: Any) -> bool:
        moment = parse_time(value)
        if moment is None:
            return False
        part = (
            moment.isocalendar().week if test.unit is TimeUnit.WEEK else getattr(moment, test.unit)
        )
        return bool(part == test.number)

    return check


def _same_as(path: tuple[str, ...], test: SameAs) -> Predicate:
    other = tuple(test.field.split("."))
    related = _RELATIONS[test.starts, test.ends]

    def predicate(record: Record) -> bool | None:
        if is_unknown(record, path) or is_unknown(record, other):
            return None
        wanted = _folded_texts(record, other)
        if not wanted:
            return False
        return any(related(text, one) for text in _folded_texts(record, path) for one in wanted)

    return predicate


def _folded_texts(record: Record, path: tuple[str, ...]) -> list[str]:
    return [
        text.casefold()
        for value in all_values(record, path)
        if (text := as_text(value)) is not None
    ]


_RELATIONS: Mapping[tuple[bool, bool], Callable[[str, str], bool]] = {
    (False, False): lambda text, other: text == other,
    (True, False): lambda text, other: text.startswith(other),
    (False, True): lambda text, other: text.endswith(other),
    (True, True): lambda text, other: other in text,
}
