"""Generates the JSON Schema of detections and test events from the field catalogue.

It covers shapes only; the loader parses conditions, compiles regexes and looks up lists.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clawback.model.events import SOURCES, EventKind
from clawback.rules.source.field_catalogue import (
    FIELDS,
    Field,
    FieldType,
    element_fields,
    is_element,
)

Schema = dict[str, Any]

_TEXT = (
    "contains",
    "startswith",
    "endswith",
    "all",
    "cased",
    "expand",
    "re",
    "i",
    "ignorecase",
    "m",
    "multiline",
    "s",
    "dotall",
)
_BYTES = ("windash", "wide", "utf16", "utf16be", "base64", "base64offset")
_TIME = ("minute", "hour", "day", "week", "month", "year")
_COMPARISONS = ("gt", "gte", "lt", "lte")
_TEXTS: tuple[str, ...] = (*_TEXT, *_BYTES, "fieldref", "neq", "confusable")

MODIFIERS: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.STRING: (*_TEXTS, "cidr"),
    FieldType.ADDRESS: _TEXTS,
    FieldType.DOMAIN: (*_TEXTS, "lookalike"),
    FieldType.IP: (*_TEXTS, "cidr"),
    FieldType.ENUM: _TEXTS,
    FieldType.TIME: (*_TEXTS, *_TIME),
    FieldType.NUMBER: (*_COMPARISONS, "fieldref", "neq"),
    FieldType.BOOLEAN: ("fieldref", "neq"),
    FieldType.OBJECT: (),
}
"""The modifiers that fit a type of field, besides `exists`, which fits all."""

_OFFERED: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.STRING: ("contains", "startswith", "endswith", "re"),
    FieldType.ADDRESS: ("endswith", "contains"),
    FieldType.DOMAIN: ("endswith", "lookalike"),
    FieldType.IP: ("cidr",),
    FieldType.ENUM: ("startswith",),
    FieldType.TIME: (),
    FieldType.NUMBER: _COMPARISONS,
    FieldType.BOOLEAN: (),
    FieldType.OBJECT: (),
}
"""The modifiers that editors suggest; all others are accepted too."""

_VALUES: Mapping[FieldType, str] = {
    FieldType.NUMBER: "numbers",
    FieldType.BOOLEAN: "booleans",
    FieldType.OBJECT: "nothing",
}


def field_definitions() -> dict[str, Schema]:
    """Generate the definitions of detections and test events for `$defs`."""
    shared = {
        "texts": _one_or_many(
            {"type": ["string", "null"]},
            "A string, or several of which any may match; * and ? are wildcards",
        ),
        "numbers": _one_or_many(
            {"type": ["number", "null"]}, "A number, or several of which any may match"
        ),
        "booleans": _one_or_many({"type": ["boolean", "null"]}, "true or false"),
        "nothing": {
            "type": "null",
            "description": "An object has no value: use |exists, or name a field below it",
        },
        "exists": {"type": "boolean", "description": "Whether the field has a value"},
        "condition": _one_or_many(
            {"type": "string"},
            "Names of selections joined with and, or, not; 1 of x_*, all of them",
        ),
    }
    enums = {name: _enum(values) for values, name in _ENUMS.items()}
    kinds = {name: schema for kind in EventKind for name, schema in _of_kind(kind)}

    return {**shared, **enums, **kinds}


def _of_kind(kind: EventKind) -> Iterator[tuple[str, Schema]]:
    fields = FIELDS[kind].values()
    elements = [field for field in fields if is_element(kind, field)]
    yield f"{kind}_fields", _entries(_selection(fields, {one.name: kind for one in elements}))
    for one in elements:
        if not one.name.startswith(SOURCES[kind].message_prefix or " "):
            inner = element_fields(kind, one.name)
            yield _element_name(kind, one.name), _element(_entries(_selection(inner, {})))
    reference = {"$ref": f"#/$defs/{kind}_fields"}
    either = {"anyOf": [reference, {"type": "array", "minItems": 1, "items": reference}]}
    yield (
        f"{kind}_selection",
        {"description": "All of these fields; in a list, any of its items", **either},
    )
    yield f"{kind}_event", _event(kind)
    groups = [
        field.name
        for field in fields
        if not field.many and not field.enrichment and field.type is not FieldType.OBJECT
    ]
    yield f"{kind}_group", {"type": "string", "enum": groups}


# ---- detections


def _entries(selection: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        **selection,
    }


def _element_name(kind: EventKind, field: str) -> str:
    prefix = SOURCES[kind].message_prefix
    if prefix and field.startswith(prefix):
        return _element_name(EventKind.MESSAGE, field.removeprefix(prefix))
    return f"{kind}_{field.replace('.', '_')}_element"


def _element(entries: Schema) -> Schema:
    return {
        "description": "A condition that one element satisfies, or with |all every element; in a "
        "list, any of its items",
        "anyOf": [entries, {"type": "array", "minItems": 1, "items": entries}],
    }


def _selection(fields: Iterable[Field], elements: Mapping[str, EventKind]) -> Schema:
    """Describe the entries of a selection; `elements` are the fields with element conditions."""
    properties: dict[str, Schema] = {}
    types: dict[FieldType, list[str]] = {}
    for field in fields:
        types.setdefault(field.type, []).append(field.name)
        properties[field.name] = {"description": _describe(field), **_values_of(field)}
        if (event := elements.get(field.name)) is not None:
            reference = {"$ref": f"#/$defs/{_element_name(event, field.name)}"}
            either = {"anyOf": [{"type": "null"}, reference]}
            properties[field.name] = {"description": _describe(field), **either}
            properties[f"{field.name}|all"] = reference
        properties |= {
            f"{field.name}|{one}": {"$ref": f"#/$defs/{_VALUES.get(field.type, 'texts')}"}
            for one in _OFFERED[field.type]
        }

    names = [name for some in types.values() for name in some]
    patterns = {_pattern(names, ("exists",), ""): {"$ref": "#/$defs/exists"}}
    for kind, some in types.items():
        for value, modifiers in _by_value(kind).items():
            patterns[_pattern(some, modifiers, "+")] = {"$ref": f"#/$defs/{value}"}

    return {"properties": properties, "patternProperties": patterns}


def _by_value(kind: FieldType) -> Mapping[str, list[str]]:
    """Group the modifiers of a type by the values they take."""
    found: dict[str, list[str]] = {}
    for modifier in MODIFIERS[kind]:
        value = (
            "numbers"
            if modifier in (*_COMPARISONS, *_TIME)
            else _VALUES.get(kind, "texts")
            if modifier == "neq"
            else "texts"
        )
        found.setdefault(value, []).append(modifier)

    return found


def _describe(field: Field) -> str:
    if field.enrichment is None:
        return field.description
    source = field.enrichment.source
    return f"{field.description} (from {source}, read only if a rule depends on it)"


def _values_of(field: Field) -> Schema:
    listed = field.values or field.seen
    name = _ENUMS[listed] if listed else _VALUES.get(field.type, "texts")
    return {"$ref": f"#/$defs/{name}"}


def _pattern(names: Iterable[str], modifiers: Iterable[str], repeated: str) -> str:
    fields = "|".join(re.escape(name) for name in sorted(names))
    return rf"^(?:{fields})(?:\|(?:{'|'.join(modifiers)})){repeated}$"


def _one_or_many(schema: Schema, description: str) -> Schema:
    return {
        "description": description,
        "anyOf": [schema, {"type": "array", "minItems": 1, "items": schema}],
    }


def _enum_names() -> Mapping[tuple[str, ...], str]:
    """Name each set of known values after the first field that has it; other fields share it."""
    names: dict[tuple[str, ...], str] = {}
    every = [field for fields in FIELDS.values() for field in fields.values()]
    for field in (field for field in every if field.values or field.seen):
        name = f"{field.name.rpartition('.')[2]}_values"
        names.setdefault(
            field.values or field.seen,
            name if name not in names.values() else f"{field.name.replace('.', '_')}_values",
        )

    return names


_ENUMS = _enum_names()


def _enum(values: tuple[str, ...]) -> Schema:
    # The API may add values: the loader takes any, and `rules check` warns of unknown verdicts.
    any_value = {"type": "string"}
    return _one_or_many(
        {"anyOf": [{"enum": [*values, None]}, any_value]}, f"Known values: {', '.join(values)}"
    )


# ---- test events


def _event(kind: EventKind) -> Schema:
    tree: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
    for field in FIELDS[kind].values():
        is_of_message = SOURCES[kind].is_joined and field.name.startswith("message.")
        if is_of_message or field.is_derived:
            continue

        if field.name == "message":
            tree["properties"]["message"] = {
                "description": field.description,
                "$ref": "#/$defs/message_event",
            }
            continue

        _plant(tree, field.name.split("."), field)

    return tree


def _plant(tree: Schema, path: list[str], field: Field) -> None:
    node = tree
    for step in path[:-1]:
        node = node["properties"][step]
        node = node["anyOf"][0] if "anyOf" in node else node
    node["properties"][path[-1]] = {"description": field.description, **_record_value(field)}


def _record_value(field: Field) -> Schema:
    if field.type is FieldType.OBJECT:
        one: Schema = {"type": "object", "properties": {}, "additionalProperties": False}
        return (
            {"anyOf": [one, {"type": "array", "items": one}, {"type": "null"}]}
            if field.many
            else {**one, "type": ["object", "null"]}
        )

    kind = {FieldType.NUMBER: "number", FieldType.BOOLEAN: "boolean"}.get(field.type, "string")
    one = {"type": [kind, "null"]}
    # A wildcard stands for nothing in a record.
    if listed := [one for one in field.values or field.seen if "*" not in one]:
        one = {"anyOf": [{"enum": [*listed, None]}, {"type": "string"}]}

    return {"anyOf": [one, {"type": "array", "items": one}]} if field.many else one
