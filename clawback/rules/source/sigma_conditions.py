"""Converts Sigma conditions to trees over named selections; pySigma parses them."""

import re
from functools import lru_cache
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections

from clawback.model.suggestions import did_you_mean
from clawback.rules.source.condition import Node, Not, join_and, join_or
from clawback.rules.source.errors import Code, Place
from clawback.rules.source.reading import Reading

DEEPEST = 50
"""How deep conditions may be nested."""


def read_condition(reading: Reading, text: Any, path: tuple[str, ...]) -> Node | None:
    """Read a condition over the selections that were read; None, and a problem, if it is wrong."""
    place = reading.document.value_at(*path)
    if not isinstance(text, str):
        reading.refuse(
            place,
            Code.CONDITION,
            "a condition must be a string",
            text=text,
            remedy="join the names of selections with and, or, not",
        )
        return None

    if len(text) > _LONGEST_CONDITION:
        remedy = "give the selections a common prefix and use 1 of x_*, or split the rule"
        reading.refuse(
            place,
            Code.CONDITION,
            f"longer than {_LONGEST_CONDITION} characters",
            text=text,
            remedy=remedy,
        )
        return None

    names = SigmaDetections(dict.fromkeys(reading.selections, _PLACEHOLDER), [text])
    try:
        return _node(reading, parse_condition(text), names, 0)
    except (_BadCondition, SigmaError, RecursionError) as error:
        _refuse(reading, place, text, names, error)

    return None


def _refuse(
    reading: Reading, place: Place, text: str, names: SigmaDetections, error: Exception
) -> None:
    remedy = "join the names of selections with and, or, not; use 1 of x_*, all of them"
    if (corrected := _correct(reading, text, names)) is not None:
        message, remedy = "Sigma joins selections with and, or, not", f"write {corrected}"
    elif isinstance(error, _BadCondition):
        message = str(error)
        remedy = did_you_mean(error.name, reading.selections) if error.name else ""
    elif "|" in text:
        message, remedy = "a condition counts nothing", "write a correlation with a timespan"
    elif text.count("(") != text.count(")"):
        message = "a parenthesis is missing"
    else:
        message = _render_parse_error(error)
    reading.refuse(place, Code.CONDITION, message, text=text, remedy=remedy)


def _correct(reading: Reading, text: str, names: SigmaDetections) -> str | None:
    """Write the operators of other languages as Sigma does; None if it is no condition then."""
    spaced = _OPERATORS.sub(lambda found: f" {_WORDS[found[0]]} ", text)
    words = (
        word.lower() if word.lower() in _KEYWORDS and word not in reading.selections else word
        for word in re.split(r"(\W+)", spaced)
    )
    corrected = " ".join("".join(words).split())
    try:
        _node(reading, parse_condition(corrected), names, 0)
    except (_BadCondition, SigmaError, RecursionError):
        return None
    return corrected


_WORDS = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}
_OPERATORS = re.compile(r"&&?|\|\|?|!")
_KEYWORDS = frozenset({"and", "or", "not", "of", "all", "any", "them"})


def _render_parse_error(error: Exception) -> str:
    """Say what is unexpected in a condition, without the grammar that pyparsing quotes."""
    found = _PARSE_ERROR.search(str(error))
    return (
        f"{found[1] or 'end of text'} at character {int(found[2]) + 1} is unexpected"
        if found
        else str(error)
    )


_PARSE_ERROR = re.compile(r"(?:found (end of text|'.*?'))?\s+\(at char (\d+)\)", re.DOTALL)


class _BadCondition(ValueError):
    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


_LONGEST_CONDITION = 4_000
_PLACEHOLDER = SigmaDetection([SigmaDetectionItem("field", [], [])])


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> ConditionItem:
    """Parse a condition with pySigma. The result is cached and must not be changed.

    Raises:
        SigmaError: it is not a condition.

    """
    # pySigma wants selections, but this parses the text alone: `_node` looks the names up.
    empty = SigmaDetections({"_": _PLACEHOLDER}, [text])
    parsed = SigmaCondition(text, empty).parse(postprocess=False)
    if not isinstance(parsed, ConditionItem):
        raise _BadCondition("this is not a condition")
    return parsed


def _node(reading: Reading, item: Any, names: SigmaDetections, depth: int) -> Node:
    if depth > DEEPEST:
        raise _BadCondition(f"nested deeper than {DEEPEST} levels")

    match item:
        case ConditionIdentifier():
            if item.identifier not in reading.selections:
                raise _BadCondition(f"there is no selection {item.identifier!r}", item.identifier)
            return reading.selections[item.identifier]
        case ConditionSelector():
            chosen = [
                reading.selections[found.identifier]
                for found in item.resolve_referenced_detections(names)
            ]
            if not chosen:
                raise _BadCondition(f"no selection matches {item.pattern}", item.pattern)

            return join_and(chosen) if item.cond_class is ConditionAND else join_or(chosen)
        case ConditionNOT():
            return Not(_node(reading, item.args[0], names, depth + 1))
        case ConditionAND() | ConditionOR():
            children = [_node(reading, child, names, depth + 1) for child in item.args]
            return join_and(children) if isinstance(item, ConditionAND) else join_or(children)
        case _:
            raise _BadCondition("this is not a condition")
