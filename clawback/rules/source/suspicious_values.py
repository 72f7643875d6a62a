"""Finds values of a condition that load and can hardly be meant: each is a warning.

They are compared as they are written, which is rarely what was wanted, or the catalogue does not
know them yet.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from clawback.model.domains import registered_domain
from clawback.model.notations import canonical_domain
from clawback.model.suggestions import nearest
from clawback.rules.source.condition import Regex, Test, Text, Wildcard
from clawback.rules.source.errors import Code
from clawback.rules.source.field_catalogue import Field, FieldType
from clawback.rules.source.sigma_values import can_equal
from clawback.rules.source.unicode_regex import translate

_PLACEHOLDER = re.compile(r"%[A-Za-z_]\w*%")
_REGEX = re.compile(
    r"\\[dwsbDWSB](?![A-Za-z])|\\[.^$()\[\]{}|+]"  # \d, \.
    r"|^\^|^\(\?[a-z:]|^\.[*+]|[\])*+?}]\$$"  # ^pay, (?i), .*pay, pay.*$
    r"|\[[^\]]*(?:a-z|A-Z|0-9)[^\]]*\]|[\])][+{]|\([^()|]+\|[^()]+\)"  # [a-z], (ab)+, (a|b)
)
_NO_REGEX = frozenset({"re", "fieldref", "exists", "cidr", "base64", "base64offset", "wide"})
_BREAKS = "\n\t"


class Surprise(NamedTuple):
    """What is odd about a value, and what was probably meant."""

    code: Code
    message: str
    text: str
    remedy: str


def find_surprises(
    field: Field, key: str, value: Any, groups: Iterable[Sequence[Test]]
) -> Iterator[Surprise]:
    """Find what is odd about an entry of a selection; `groups` are the tests of each value."""
    name, *modifiers = key.split("|")
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            yield from _of_text(name, modifiers, text)

    if "cidr" in modifiers and field.type is not FieldType.IP:
        message = f"{name} is {field.type.noun}: only values that are an IP address can match"
        yield Surprise(
            Code.SUSPICIOUS, message, key, "use a field of an IP address, such as x_originating_ip"
        )
    for test in (test for group in groups for test in group):
        if isinstance(test, Regex) and translate(test.expression).keeps_ascii:
            yield Surprise(
                Code.SUSPICIOUS,
                "here \\b and \\B know the words of ASCII only",
                test.pattern,
                r"write (?:^|[^\p{L}\p{N}]) before and (?:[^\p{L}\p{N}]|$) after the word",
            )
    if field.type is FieldType.ENUM:
        yield from _unknown_values(field, groups)
    if field.type is FieldType.DOMAIN and "expand" not in modifiers:
        yield from _hosts(name, groups)


def _of_text(name: str, modifiers: Sequence[str], text: str) -> Iterator[Surprise]:
    expands = "expand" in modifiers
    if not expands and (found := _PLACEHOLDER.search(text)):
        key = "|".join([name, "expand", *modifiers])
        message = f"without expand, {found[0]} is a text and not the values of a list"
        yield Surprise(Code.SUSPICIOUS, message, text, f"write {key}: '{text}'")
    if expands and not _PLACEHOLDER.search(text):
        yield Surprise(
            Code.SUSPICIOUS,
            "expand has no effect on a value without a placeholder",
            text,
            "write '%name%' with the name of a list, or remove expand",
        )

    if control := next((one for one in text if _is_control(one)), None):
        yield Surprise(
            Code.SUSPICIOUS,
            f"the value has the control character U+{ord(control):04X}",
            repr(text)[1:-1],
            "put the value in single quotes, in which a backslash is only a backslash",
        )
    elif not _NO_REGEX & set(modifiers) and _REGEX.search(text):
        yield Surprise(
            Code.SUSPICIOUS,
            "without re this is no regular expression but a text with these characters",
            text,
            f"write {name}|re: '{text}', or a text with the wildcards * and ?",
        )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in _BREAKS


def _unknown_values(field: Field, groups: Iterable[Sequence[Test]]) -> Iterator[Surprise]:
    for test in (test for group in groups for test in group):
        if isinstance(test, Text) and (surprise := find_unknown_value(field, test)) is not None:
            yield surprise
            return


def find_unknown_value(field: Field, text: Text) -> Surprise | None:
    """Find what no known value of an enum equals: the API may have it one day."""
    if field.type is not FieldType.ENUM or can_equal(text, field.values):
        return None
    close = nearest(str(text).strip("*?"), field.values)
    known = f"did you mean {close!r}? " if close else ""
    return Surprise(
        Code.UNKNOWN_VALUE,
        f"no known value of {field.name} is {text}",
        str(text),
        f"{known}known so far are {', '.join(field.values)}; --allow-unknown-values accepts a "
        "new one",
    )


def _hosts(name: str, groups: Iterable[Sequence[Test]]) -> Iterator[Surprise]:
    """Find hosts that a field of registered domains never has."""
    for test in (test for group in groups for test in group):
        host = _host_of(test)
        registered = registered_domain(host) if host else None
        if registered is not None and registered != canonical_domain(host):
            yield Surprise(
                Code.SUSPICIOUS,
                f"{name} is a registered domain and never a host below one",
                str(test),
                f"write {name}: {registered}",
            )


def _host_of(test: Test) -> str:
    """The shortest domain that a test is true of; empty if that is not known."""
    if not isinstance(test, Text):
        return ""
    match test.parts:
        case (str() as literal,):
            return literal
        case (Wildcard.MANY, str() as literal):
            return f"a{literal}"
        case _:
            return ""
