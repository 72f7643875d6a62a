"""Converts Sigma detections to condition trees; pySigma parses values and modifiers.

What pySigma cannot parse, and what we do not support, becomes a problem with its place.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sigma.conditions import ConditionAND
from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaDetectionItem
from sigma.types import SigmaExists

from clawback.model.suggestions import find_near
from clawback.rules.source.condition import (
    OF_EVENT,
    Element,
    FieldReference,
    Leaf,
    Named,
    Node,
    Not,
    Or,
    Test,
    join_and,
    join_or,
)
from clawback.rules.source.errors import Code, Place
from clawback.rules.source.field_catalogue import find_field, is_element
from clawback.rules.source.field_hints import element_remedy, field_remedy
from clawback.rules.source.modifier_hints import modifier_remedy
from clawback.rules.source.own_modifiers import OWN_MODIFIERS, apply_own, without_own
from clawback.rules.source.reading import Reading
from clawback.rules.source.sigma_conditions import read_condition
from clawback.rules.source.sigma_values import (
    NO_LOOKAROUND,
    Unsupported,
    canonical_test,
    misfit,
    regex_problem,
    tests_of,
)
from clawback.rules.source.suspicious_values import find_surprises

_CONDITION = "condition"
_RESERVED = {"timeframe": ("not supported", "write a correlation with a timespan")}


def read_detection(reading: Reading, *path: str) -> Node | None:
    """Read the detection at a path: `detection`, or `filter` of an exception.

    None, and problems, if anything is wrong.
    """
    detection = reading.document.data
    for step in path:
        detection = detection[step]

    before = len(reading.problems)
    slip = _find_condition_slip(detection)
    for name, definition in detection.items():
        if name in (_CONDITION, "rules"):
            continue
        if name in _RESERVED or name == slip:
            message, remedy = _RESERVED.get(name, ("no selection", f"did you mean {_CONDITION!r}?"))
            place = reading.document.key_at(*path, name)
            reading.refuse(place, Code.DETECTION, message, text=name, remedy=remedy)
            continue

        # A selection that is wrong has its name all the same, for the condition.
        node = _selection(reading, definition, (*path, name))
        reading.selections[name] = Named(name, node or Or(()))

    conditions = detection.get(_CONDITION)
    if not conditions and slip is None:
        reading.refuse(
            reading.document.key_at(*path),
            Code.CONDITION,
            "there is no condition",
            remedy="add condition: and the names of selections",
        )
    elif not reading.selections and len(reading.problems) == before:
        reading.refuse(
            reading.document.key_at(*path),
            Code.DETECTION,
            "there is no selection",
            remedy="add a selection with at least one field",
        )

    elif conditions:
        texts = conditions if isinstance(conditions, list) else [conditions]
        nodes = [read_condition(reading, text, (*path, _CONDITION)) for text in texts]
        if len(reading.problems) == before:
            return join_or([node for node in nodes if node is not None])

    return None


def _find_condition_slip(detection: Mapping[str, Any]) -> str | None:
    """Find a key that is meant to be the condition, such as `conditions`."""
    if _CONDITION in detection:
        return None
    texts = (name for name, definition in detection.items() if isinstance(definition, str))
    return next((name for name in texts if find_near(name, (_CONDITION,))), None)


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

    known = find_field(reading.kind, reading.full_name(name))
    if known is not None and is_element(reading.kind, known) and _is_element_condition(value):
        return _element(reading, key, value, path)

    if known is None:
        remedy = _name_remedy(reading, name)
        reading.refuse(
            place,
            Code.UNKNOWN_FIELD,
            f"{_describe_owner(reading)} has no such field",
            text=name,
            remedy=remedy,
        )

    if (
        not _modifiers_known(reading, name, modifiers, place)
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

    for surprise in find_surprises(known, key, value, groups):
        reading.warn(reading.document.value_at(*path, key), surprise)

    canonical = [tuple(canonical_test(known, test) for test in group) for group in groups]
    return _link(item, name, [_resolve_references(reading, tests) for tests in canonical])


# ---- elements


def _is_element_condition(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(one, dict) for one in value)
    )


def _element(reading: Reading, key: str, value: Any, path: tuple[str | int, ...]) -> Element | None:
    """Read a mapping under a field of objects: the condition on one, or every, element."""
    name, *modifiers = key.split("|")
    place = reading.document.key_at(*path, key)
    if modifiers not in ([], ["all"]):
        remedy = "put modifiers behind the fields of the element; for none of them, use not"
        message = "the only modifier of an element condition is all"
        reading.refuse(place, Code.MODIFIER, message, text=key, remedy=remedy)
        return None

    child = _selection(replace(reading, parent=name), value, (*path, key))
    return None if child is None else Element(name, child, every=bool(modifiers))


def _describe_owner(reading: Reading) -> str:
    return f"an element of {reading.parent}" if reading.parent else f"a {reading.kind}"


def _name_remedy(reading: Reading, name: str) -> str:
    if not reading.parent:
        return field_remedy(reading.kind, name)
    return element_remedy(reading.kind, reading.parent, name)


def _resolve_references(reading: Reading, tests: tuple[Test, ...]) -> tuple[Test, ...]:
    """Mark references out of an element: a name that the element has not is one of the event."""
    return tuple(
        replace(test, field=f"{OF_EVENT}{test.field}")
        if isinstance(test, FieldReference)
        and reading.parent
        and find_field(reading.kind, reading.full_name(test.field)) is None
        else test
        for test in tests
    )


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
        item = SigmaDetectionItem.from_mapping(without_own(key), value)
        groups = [tests_of(parsed, item, reading.lists) for parsed in item.value]
        return item, apply_own(key, item, groups)
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


def _modifiers_known(reading: Reading, name: str, modifiers: list[str], place: Place) -> bool:
    known = (*modifier_mapping, *OWN_MODIFIERS)
    unknown = [modifier for modifier in modifiers if modifier not in known]
    for modifier in unknown:
        remedy = modifier_remedy(name, modifier, known)
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
