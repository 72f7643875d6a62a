"""Converts Sigma detections to condition trees; pySigma parses values, modifiers and conditions.

What pySigma cannot parse, and what we do not support, becomes a problem with its place.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import SigmaExists

from clawback.model.events import EventKind
from clawback.rules.source.condition import Leaf, Named, Node, Not, Test, join_and, join_or
from clawback.rules.source.errors import Code, Place, Problems, did_you_mean
from clawback.rules.source.field_catalogue import field_remedy, find_field
from clawback.rules.source.sigma_values import (
    NO_LOOKAROUND,
    Unsupported,
    misfit,
    regex_problem,
    tests_of,
)
from clawback.rules.source.yaml_reader import Document

_CONDITION = "condition"
_RESERVED = {
    "timeframe": "write a correlation with a timespan",
    "rules": "rules belongs to a filter",
}
_DEEPEST = 50


@dataclass(slots=True)
class Reading:
    """The context of a detection: document, event kind, lists for `expand`, and problems."""

    document: Document
    kind: EventKind
    lists: Mapping[str, Sequence[str]]
    problems: Problems
    selections: dict[str, Node] = field(default_factory=dict)

    def refuse(
        self, place: Place, code: Code, message: str, *, text: object = "", remedy: str = ""
    ) -> None:
        """Add a problem of this document."""
        self.problems.add(place, code, message, text=text, remedy=remedy)


def read_detection(reading: Reading, *path: str) -> Node | None:
    """Read the detection at a path: `detection`, or `filter` of an exception.

    None, and problems, if anything is wrong.
    """
    detection = reading.document.data
    for step in path:
        detection = detection[step]

    before = len(reading.problems)
    for name, definition in detection.items():
        if name in _RESERVED and name not in (_CONDITION, "rules"):
            reading.refuse(
                reading.document.key_at(*path, name),
                Code.DETECTION,
                "not supported",
                text=name,
                remedy=_RESERVED[name],
            )
        elif (
            name not in (_CONDITION, "rules")
            and (node := _selection(reading, definition, (*path, name))) is not None
        ):
            reading.selections[name] = Named(name, node)

    conditions = detection.get(_CONDITION)
    if not conditions:
        reading.refuse(
            reading.document.key_at(*path),
            Code.CONDITION,
            "there is no condition",
            remedy="add condition: and the names of selections",
        )
        return None

    if not reading.selections and len(reading.problems) == before:
        reading.refuse(
            reading.document.key_at(*path),
            Code.DETECTION,
            "there is no selection",
            remedy="add a selection with at least one field",
        )

    if len(reading.problems) > before:
        return None

    texts = conditions if isinstance(conditions, list) else [conditions]
    nodes = [_condition(reading, text, (*path, _CONDITION)) for text in texts]
    whole = [node for node in nodes if node is not None]

    return join_or(whole) if len(whole) == len(nodes) else None


# ---- selections


def _selection(reading: Reading, definition: Any, path: tuple[str | int, ...]) -> Node | None:
    if isinstance(definition, dict) and definition:
        items = [_item(reading, key, value, path) for key, value in definition.items()]
        nodes = [node for node in items if node is not None]
        return join_and(nodes) if nodes else None

    if (
        isinstance(definition, list)
        and definition
        and all(isinstance(item, dict) for item in definition)
    ):
        found = [_selection(reading, item, (*path, index)) for index, item in enumerate(definition)]
        nodes = [node for node in found if node is not None]
        return join_or(nodes) if nodes else None

    code, remedy = Code.KEYWORD, "name a field, for example subject|contains: …"
    message = "keywords are not supported: an event has fields, not one text to search"
    if definition in ({}, []):
        code, message, remedy = Code.DETECTION, "the selection is empty", "name at least one field"

    reading.refuse(reading.document.value_at(*path), code, message, text=path[-1], remedy=remedy)
    return None


def _item(reading: Reading, key: str, value: Any, path: tuple[str | int, ...]) -> Node | None:
    place = reading.document.key_at(*path, key)
    name, *modifiers = key.split("|")
    if not name:
        message = "keywords are not supported: an event has fields, not one text to search"
        reading.refuse(
            place, Code.KEYWORD, message, text=key, remedy="name the field before the bar"
        )
        return None

    known = find_field(reading.kind, name)
    if known is None:
        remedy = field_remedy(reading.kind, name)
        reading.refuse(
            place,
            Code.UNKNOWN_FIELD,
            f"a {reading.kind} has no such field",
            text=name,
            remedy=remedy,
        )

    if (
        not _modifiers_known(reading, modifiers, place)
        or not _values_flat(reading, value, (*path, key))
        or known is None
    ):
        return None

    parsed = _parse_item(reading, key, value, path)
    if parsed is None:
        return None

    item, groups = parsed
    for test in (test for group in groups for test in group):
        if (problem := misfit(known, test)) is not None:
            reading.refuse(
                reading.document.value_at(*path, key),
                Code.FIELD_TYPE,
                problem,
                text=f"{key}: {_render_value(value)}",
            )

    return _link(item, name, groups)


def _parse_item(
    reading: Reading, key: str, value: Any, path: tuple[str | int, ...]
) -> tuple[SigmaDetectionItem, list[tuple[Test, ...]]] | None:
    """Parse one item with pySigma: the item, and the tests of each of its values."""
    place = reading.document.value_at(*path, key)
    if "re" in key.split("|")[1:] and (bad := _bad_regex(value)) is not None:
        text = f"{key}: {_render_value(value)}"
        reading.refuse(place, Code.MODIFIER, str(bad), text=text, remedy=bad.remedy)
        return None

    try:
        item = SigmaDetectionItem.from_mapping(key, value)
        return item, [tests_of(parsed, item, reading.lists) for parsed in item.value]
    except Unsupported as error:
        reading.refuse(place, error.code, str(error), text=key, remedy=error.remedy)
    except (SigmaError, ValueError, TypeError, OverflowError) as error:
        reading.refuse(
            place,
            Code.MODIFIER,
            _render_error(error),
            text=f"{key}: {value}",
            remedy="see docs/rules/detection.md, Modifiers",
        )

    return None


def _bad_regex(value: Any) -> Unsupported | None:
    """Check a regex before pySigma does, which writes to stderr and accepts numbers."""
    for pattern in value if isinstance(value, list) else [value]:
        if not isinstance(pattern, str):
            return Unsupported("re needs a string", "put the regular expression in quotes")
        if (problem := regex_problem(pattern)) is not None:
            return Unsupported(problem, NO_LOOKAROUND)
    return None


def _modifiers_known(reading: Reading, modifiers: list[str], place: Place) -> bool:
    unknown = [modifier for modifier in modifiers if modifier not in modifier_mapping]
    for modifier in unknown:
        remedy = did_you_mean(modifier, modifier_mapping)
        reading.refuse(
            place, Code.MODIFIER, "there is no such modifier", text=modifier, remedy=remedy
        )

    return not unknown


def _values_flat(reading: Reading, value: Any, path: tuple[str | int, ...]) -> bool:
    values = value if isinstance(value, list) else [value]
    if values and not any(isinstance(item, dict | list) for item in values):
        return True

    place = reading.document.value_at(*path)
    reading.refuse(
        place,
        Code.DETECTION,
        "a field takes a value or a flat list of values",
        text=path[-1],
        remedy="write at least one value",
    )
    return False


def _link(item: SigmaDetectionItem, name: str, groups: list[tuple[Test, ...]]) -> Node:
    leaves: list[Node] = [
        Not(Leaf(name, tests))
        if isinstance(value, SigmaExists) and not value.exists
        else Leaf(name, tests)
        for value, tests in zip(item.value, groups, strict=True)
    ]
    node = join_and(leaves) if item.value_linking is ConditionAND else join_or(leaves)
    return Not(node) if item.negated else node


def _render_error(error: Exception) -> str:
    if (found := _CLASH.search(str(error))) is not None:
        modifier, value = _MODIFIER_NAMES.get(found[1], found[1]), found[2]
        if "SigmaRegularExpression" in value:
            why = "a regular expression is case-sensitive and matches anywhere"
            return f"{modifier} cannot be combined with re: {why}"
        return f"{modifier} needs {_WANTED.get(modifier, 'a string: put it in quotes')}"

    return _CLASS_NAMES.sub(lambda name: name[1].lower(), str(error))


_CLASH = re.compile(r"Modifier (Sigma\w+) incompatible to value type of '(.*)'", re.DOTALL)
# Reversed, so that the first of several names of a modifier wins.
_MODIFIER_NAMES = {modifier.__name__: name for name, modifier in reversed(modifier_mapping.items())}
_WANTED = {
    **dict.fromkeys(("gt", "gte", "lt", "lte"), "a number"),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), "a whole number"),
    **dict.fromkeys(("i", "ignorecase", "m", "multiline", "s", "dotall"), "re before it"),
    "exists": "true or false",
}
_CLASS_NAMES = re.compile(r"\bSigma(String|Number|Bool|Null)\b")


def _render_value(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


# ---- conditions


def _condition(reading: Reading, text: Any, path: tuple[str, ...]) -> Node | None:
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
    except _BadCondition as error:
        reading.refuse(
            place,
            Code.CONDITION,
            str(error),
            text=text,
            remedy=did_you_mean(error.name, reading.selections) if error.name else "",
        )
    except (SigmaError, RecursionError) as error:
        remedy = "join the names of selections with and, or, not; use 1 of x_*, all of them"
        reading.refuse(place, Code.CONDITION, _render_parse_error(error), text=text, remedy=remedy)

    return None


def _render_parse_error(error: Exception) -> str:
    """Say what is unexpected in a condition, without the grammar that pyparsing quotes."""
    found = _PARSE_ERROR.search(str(error))
    return (
        f"{found[1] or 'end of text'} at character {int(found[2]) + 1} is unexpected"
        if found
        else _render_error(error)
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
    if depth > _DEEPEST:
        raise _BadCondition(f"nested deeper than {_DEEPEST} levels")

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
