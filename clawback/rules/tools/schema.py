"""Generates the JSON Schema of rule files, for editors: rules, correlations, exceptions, lists.

It covers `safety.yml` too.

Derived from the document models, the field catalogue and the action registry, so it agrees with
them. The loader does not use it: its own checks are stricter and its messages better.
"""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from clawback.actions import ACTIONS, schema_of
from clawback.cases.while_held import FOLDERS
from clawback.correlation.aggregates import Comparison
from clawback.correlation.sliding_window import CorrelationType
from clawback.model.durations import DurationSchema, Written
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.rules.source.documents import (
    CorrelationDocument,
    FilterDocument,
    ListDocument,
    PeopleDocument,
    RuleDocument,
    Status,
)
from clawback.rules.source.safety import Safety
from clawback.rules.tools.schema_fields import Schema, field_definitions

FILE_NAME = "schema.json"
"""The name of the schema file in a folder of rules."""

_KINDS = tuple(EventKind)
_AVERAGES = (CorrelationType.VALUE_AVG, CorrelationType.VALUE_MEDIAN)
_COMPARISONS = {
    "gte": "At least this",
    "gt": "More than this",
    "lte": "At most this",
    "lt": "Less than this",
}


def rule_schema() -> Schema:
    """Generate the schema (draft 2020-12) of one document of a folder of rules."""
    definitions: dict[str, Schema] = {
        **field_definitions(),
        **_action_definitions(),
        "window_event": _window_event(),
    }
    documents = {
        "rule": _rule(_model(RuleDocument, definitions)),
        "correlation": _correlation(_model(CorrelationDocument, definitions)),
        "exception": _exception(_model(FilterDocument, definitions)),
        "list": _model(ListDocument, definitions),
        "people": _model(PeopleDocument, definitions),
        "safety": _safety(_model(Safety, definitions), definitions["Budgets"]),
    }
    _refine(definitions)

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "clawback rule",
        "description": "A Sigma rule, correlation or exception of clawback, a list, or safety.yml.",
        "type": "object",
        **_either(
            "correlation",
            "correlation",
            _either(
                "filter",
                "exception",
                _either("values", "list", _either("people", "people", _safety_or_rule())),
            ),
        ),
        "$defs": {**definitions, **documents},
    }


def write_schema() -> str:
    """Render the schema as it is committed, compact enough to review."""
    return _render(rule_schema(), 0) + "\n"


def _named(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _either(key: str, name: str, otherwise: Schema) -> Schema:
    return {"if": {"required": [key]}, "then": _named(name), "else": otherwise}


def _safety_or_rule() -> Schema:
    keys = [{"required": [key]} for key in Safety.model_fields]
    return {"if": {"anyOf": keys}, "then": _named("safety"), "else": _named("rule")}


def _safety(schema: Schema, budgets: Schema) -> Schema:
    """Let what may be unlimited be null, and what may be one budget not be a list."""
    for owner, key in ((schema, "maximum_age"), (budgets, "campaign")):
        limit = owner["properties"][key]
        default = {"default": limit.pop("default")}
        owner["properties"][key] = {"anyOf": [limit, {"type": "null"}], **default}
    for key in ("overall", "rule"):
        one = budgets["properties"][key]["items"]
        several = {"type": "array", "items": one}
        budgets["properties"][key] = {"anyOf": [one, several]}
    return schema


# ---- from models


def _model(model: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    """Generate the schema of a model; move what it refers to into the definitions."""
    schema = _tidy(model.model_json_schema(by_alias=True, schema_generator=DurationSchema))
    definitions |= schema.pop("$defs", {})
    return dict(schema)


def _tidy(node: Any) -> Any:
    """Remove what editors do not need: generated titles, null defaults and null types."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node

    made = {
        key: _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }
    if "default" in made and made["default"] in (None, [], {}):
        del made["default"]

    if len(real := [one for one in made.get("anyOf", ()) if one != {"type": "null"}]) == 1:
        del made["anyOf"]
        made = {**real[0], **made}

    return made


def _refine(definitions: dict[str, Schema]) -> None:
    """Add what the models leave to code: actions, lists written as one value, correlation types."""
    response = definitions["ResponseDocument"]["properties"]
    response["actions"]["items"] = _named("action")
    response["while-held"] = _while_held(response["while-held"]["description"])
    response["limits"] = _one_or_many(response["limits"])
    body = definitions["CorrelationBody"]["properties"]
    body["type"] = {"description": body["type"]["description"], "enum": list(CorrelationType)}
    body["condition"] |= {"anyOf": [{"type": "object"}, {"type": "string"}]}
    body |= {key: _one_or_many(body[key]) for key in ("rules", "group-by")}
    del body["generate"]
    definitions["CorrelationBody"]["allOf"] = [
        _when_type(lambda kind: kind is CorrelationType.EVENT_COUNT, _count()),
        _when_type(lambda kind: kind is CorrelationType.VALUE_COUNT, _count(), "field"),
        _when_type(lambda kind: kind is CorrelationType.VALUE_SUM, _bound("gte", "gt"), "field"),
        _when_type(_AVERAGES.__contains__, _bound(*Comparison), "field"),
        _when_type(
            lambda kind: kind is CorrelationType.VALUE_PERCENTILE,
            _bound(*Comparison, has_percentile=True),
            "field",
            "percentile",
        ),
    ]
    definitions["WindowTest"]["properties"]["events"]["items"] = _named("window_event")


def _while_held(description: str) -> Schema:
    destination = {"enum": list(FOLDERS), "description": "The folder"}
    move = {
        "type": "object",
        "properties": {"destination": destination},
        "required": ["destination"],
        "additionalProperties": False,
    }
    return {
        "description": description,
        "type": "object",
        "properties": {"move": move},
        "required": ["move"],
        "additionalProperties": False,
    }


def _one_or_many(schema: Schema) -> Schema:
    description = {"description": schema["description"]}
    return {**description, "anyOf": [schema["items"], {"type": "array", "items": schema["items"]}]}


def _when_type(
    includes: Callable[[CorrelationType], bool], condition: Schema, *needs: str
) -> Schema:
    """What the condition of some types of correlation must be."""
    types = [kind for kind in CorrelationType if includes(kind)]
    return {
        "if": {"required": ["type"], "properties": {"type": {"enum": types}}},
        "then": {
            "required": ["condition"],
            "properties": {"condition": {**condition, "required": [*needs]}},
        },
    }


def _count() -> Schema:
    number = {"type": "integer", "minimum": 1, "description": "At least this many"}
    more = {"type": "integer", "minimum": 0, "description": "More than this many"}
    field = {
        "type": "string",
        "description": "value_count: the field whose distinct values are counted",
    }

    return {
        "type": "object",
        "properties": {"gte": number, "gt": more, "field": field},
        "additionalProperties": False,
    }


def _bound(*comparisons: str, has_percentile: bool = False) -> Schema:
    properties: Schema = {
        one: {"type": "number", "description": _COMPARISONS[one]} for one in comparisons
    }
    properties["field"] = {"type": "string", "description": "The field whose numbers are taken"}
    if has_percentile:
        properties["percentile"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "The percent of the numbers that are not above it",
        }

    return {"type": "object", "properties": properties, "additionalProperties": False}


# ---- documents


def _rule(schema: Schema) -> Schema:
    shapes = [_when_kind(kind, _rule_of(kind)) for kind in _KINDS]
    return {**schema, "allOf": [*shapes, _responding("id", "status", "tests"), *_ceilings()]}


def _responding(*needs: str) -> Schema:
    """What a document must have if it has a response."""
    return {
        "if": {"required": ["response"]},
        "then": {"required": [*needs], "properties": {"tests": {"minItems": 2}}},
    }


def _rule_of(kind: EventKind) -> Schema:
    return {
        "detection": _detection(kind),
        "response": {"properties": {"group-by": {"items": _named(f"{kind}_group")}}},
        "tests": {"items": {"properties": {"event": _named(f"{kind}_event")}}},
    }


def _correlation(schema: Schema) -> Schema:
    return {**schema, "allOf": [_responding("status", "tests"), *_ceilings()]}


def _exception(schema: Schema) -> Schema:
    rules = {
        "description": "any, or the names or ids of the rules it applies to",
        "anyOf": [{"type": "string"}, _names()],
    }
    return {
        **schema,
        "allOf": [_when_kind(kind, {"filter": _detection(kind, rules=rules)}) for kind in _KINDS],
    }


def _names() -> Schema:
    return {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _when_kind(kind: EventKind, properties: Schema) -> Schema:
    logsource = {"required": ["category"], "properties": {"category": {"const": kind.value}}}
    return {
        "if": {"required": ["logsource"], "properties": {"logsource": logsource}},
        "then": {"properties": properties},
    }


def _ceilings() -> list[Schema]:
    """Limit the mode by the status."""
    ceilings = {
        status: [mode for mode in Mode if mode.capped(status.ceiling) is mode] for status in Status
    }
    return [
        {
            "if": {"required": ["status"], "properties": {"status": {"const": status.value}}},
            "then": {"properties": {"response": {"properties": {"mode": {"enum": modes}}}}},
        }
        for status, modes in ceilings.items()
        if len(modes) < len(Mode)
    ]


def _detection(kind: EventKind, **more: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["condition", *more],
        "properties": {"condition": _named("condition"), **more},
        "patternProperties": {
            f"^(?!(?:condition|timeframe{''.join(f'|{name}' for name in more)})$)": _named(
                f"{kind}_selection"
            )
        },
        "additionalProperties": False,
    }


def _action_definitions() -> dict[str, Schema]:
    definitions: dict[str, Schema] = {}
    properties: dict[str, Schema] = {}
    for name, model in ACTIONS.items():
        schema = _tidy(schema_of(name))
        definitions |= schema.pop("$defs", {})
        properties[name] = {**schema, "description": " ".join((model.__doc__ or "").split())}

    one = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {**definitions, "action": {"description": "One action and its parameters", **one}}


def _window_event() -> Schema:
    at = {
        **Written(allows_zero=True).schema,
        "description": "Time since the first event, such as 0h or 1h30m",
    }
    kind = {
        "enum": list(_KINDS),
        "description": "The kind of event, if the rules below are of several kinds",
    }
    events = [field_definitions()[f"{one}_event"] for one in _KINDS]
    shapes = [
        {**event, "properties": {"at": at, "kind": kind, **event["properties"]}, "required": ["at"]}
        for event in events
    ]

    return {"description": "A partial event with its time", "anyOf": shapes}


# ---- rendering

_WIDTH = 140


def _render(node: Any, depth: int) -> str:
    flat = json.dumps(node, ensure_ascii=False)
    is_plain = not isinstance(node, dict) and not (
        isinstance(node, list) and any(isinstance(one, dict | list) for one in node)
    )
    if is_plain or len(flat) + depth <= _WIDTH:
        return flat

    inner = " " * (depth + 1)
    if isinstance(node, list):
        items = [_render(item, depth + 1) for item in node]
        return "[\n" + ",\n".join(inner + item for item in items) + f"\n{' ' * depth}]"

    pairs = [
        f"{json.dumps(key, ensure_ascii=False)}: {_render(value, depth + 1)}"
        for key, value in node.items()
    ]
    return "{\n" + ",\n".join(inner + pair for pair in pairs) + f"\n{' ' * depth}}}"
