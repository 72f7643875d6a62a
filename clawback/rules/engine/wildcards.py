"""Matches strings against texts with wildcards, in linear time."""

import re
from collections.abc import Callable

from clawback.rules.source.condition import Wildcard


def match_parts(parts: tuple[str | Wildcard, ...]) -> Callable[[str], bool]:
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


def wildcard_pattern(parts: tuple[str | Wildcard, ...]) -> str:
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
