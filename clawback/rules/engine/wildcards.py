"""Matches strings against texts with wildcards, in linear time."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from ahocorasick_rs import AhoCorasick

from clawback.rules.source.condition import Wildcard

T = TypeVar("T")
Parts = tuple[str | Wildcard, ...]
Matcher = Callable[[str], bool]

_FEWEST_FOR_AUTOMATON = 16


def match_any(texts: Sequence[Parts]) -> Matcher:
    """Compile texts with wildcards to a function that says whether a whole string matches any.

    Those of a kind are compared at once: lists of rules have dozens.
    """
    equal, heads, tails, inside = list[str](), list[str](), list[str](), list[str]()
    others = list[Matcher]()
    for parts in texts:
        match parts:
            case (str() as head, Wildcard.MANY):
                heads.append(head)
            case (Wildcard.MANY, str() as tail):
                tails.append(tail)
            case (Wildcard.MANY, str() as literal, Wildcard.MANY):
                inside.append(literal)
            case () | (str(),):
                equal.append("".join(map(str, parts)))
            case _:
                others.append(match_parts(parts))

    return any_passes(
        [
            *([frozenset(equal).__contains__] if equal else []),
            *([_start_with_any(tuple(heads))] if heads else []),
            *([_end_with_any(tuple(tails))] if tails else []),
            *([_contain_any(tuple(dict.fromkeys(inside)))] if inside else []),
            *others,
        ]
    )


def any_passes(checks: Sequence[Callable[[T], bool]]) -> Callable[[T], bool]:
    """Combine checks of one value to a check that passes if any of them does."""
    if len(checks) == 1:
        return checks[0]

    def passes(value: T) -> bool:
        for check in checks:  # noqa: SIM110 - a generator costs more than the loop
            if check(value):
                return True
        return False

    return passes


def _start_with_any(heads: tuple[str, ...]) -> Matcher:
    return lambda text: text.startswith(heads)


def _end_with_any(tails: tuple[str, ...]) -> Matcher:
    return lambda text: text.endswith(tails)


def _contain_any(literals: tuple[str, ...]) -> Matcher:
    if len(literals) == 1:
        (literal,) = literals
        return lambda text: literal in text

    def contains(text: str) -> bool:
        for literal in literals:  # noqa: SIM110 - a generator costs more than the loop
            if literal in text:
                return True
        return False

    if len(literals) < _FEWEST_FOR_AUTOMATON or "" in literals:
        return contains
    find = AhoCorasick(list(filter(is_unicode, literals))).find_matches_as_indexes

    def find_any(text: str) -> bool:
        try:
            return bool(find(text))
        except UnicodeEncodeError:  # a lone surrogate, which the automaton does not take
            return contains(text)

    return find_any


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate. An automaton forgets all literals after one that has.

    Such a literal is only in texts that have one as well, which no automaton takes.
    """
    return _SURROGATE.search(text) is None


_SURROGATE = re.compile("[\ud800-\udfff]")


def match_parts(parts: Parts) -> Matcher:
    """Compile a text with wildcards to a function that says whether a whole string matches it."""
    literals = tuple(part for part in parts if isinstance(part, str))
    match parts:
        case () | (str(),):
            wanted = "".join(literals)
            return lambda text: text == wanted
        case (str() as head, Wildcard.MANY):
            return lambda text: text.startswith(head)
        case (Wildcard.MANY, str() as tail):
            return lambda text: text.endswith(tail)
        case (Wildcard.MANY, *_, Wildcard.MANY) if Wildcard.ONE not in parts:
            return lambda text: _contain_in_order(text, literals)
        case _:
            match = re.compile(wildcard_pattern(parts), re.DOTALL).match
            longest = max(literals, key=len, default="")
            return lambda text: longest in text and match(text) is not None


def _contain_in_order(text: str, literals: tuple[str, ...]) -> bool:
    at = 0
    for literal in literals:
        at = text.find(literal, at)
        if at < 0:
            return False
        at += len(literal)

    return True


def wildcard_pattern(parts: Parts) -> str:
    """Translate a text with wildcards to a regular expression that takes linear time.

    Each `*` with what follows is an atomic group: the first place where a segment fits is as good
    as any later one, so there is no reason to backtrack into it.
    """
    segments: list[str] = [""]
    for part in parts:
        if part is Wildcard.MANY:
            segments.append("")
        else:
            segments[-1] += "." if part is Wildcard.ONE else re.escape(str(part))

    if len(segments) == 1:
        return rf"{segments[0]}\Z"

    head, *middle, tail = segments
    return head + "".join(f"(?>.*?{segment})" for segment in middle if segment) + rf".*{tail}\Z"
