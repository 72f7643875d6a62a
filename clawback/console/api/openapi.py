"""The OpenAPI 3.1 document: made from the operations and from the models that parse and render."""

from collections.abc import Iterator, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from clawback import __version__
from clawback.console.api.idempotency import REPLAYED
from clawback.console.api.operation_list import OPERATIONS
from clawback.console.api.operations import BODY_ERRORS, SHARED_ERRORS, Operation
from clawback.console.api.parameters import CASE_ID
from clawback.console.api.problems import MEDIA_TYPE, ProblemDetails

ROOT: Final = "/api/v1"
UNDO_ID: Final = "[0-9a-f]{12}"
PATH_PARAMETERS: Final = {
    "id": (CASE_ID, "The case: `id` or `short_id` of a list, or more digits of its hash"),
    "undo": (UNDO_ID, "`id` of an undo"),
}
_REF: Final = "#/components/schemas/{model}"
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeats under one key get the first answer: send a new UUID for each request",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "description": "`ETag` of the case as you saw it",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of what you have: 304 if nothing changed",
    "schema": {"type": "string"},
}


@cache
def build_document() -> dict[str, Any]:
    """Build the document of all operations."""
    schemas = _build_schemas()
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(
            operation, schemas
        )
    paths["/openapi.json"] = {"get": _describe_document()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "clawback",
            "version": __version__,
            "description": "Cases of clawback: read, decide and undo them. Errors are problem "
            "details (RFC 9457). Texts of mail are as they came: escape them where you show them.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schemas[name] for name in sorted(schemas)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Of `clawback tokens create`",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-clawback"},
            },
        },
    }


def _build_schemas() -> dict[str, Any]:
    """Build the schemas of all models: of what is parsed and of what is rendered."""
    parsed = {one.body for one in OPERATIONS if one.body} | {one.query for one in OPERATIONS}
    rendered = {one.answer for one in OPERATIONS} | {ProblemDetails}
    modes: list[Any] = [(model, "validation") for model in sorted(parsed, key=str)]
    modes += [(model, "serialization") for model in sorted(rendered, key=str)]
    _, document = models_json_schema(modes, ref_template=_REF)
    schemas: dict[str, Any] = document["$defs"]
    return schemas


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": _describe_role(operation),
        "parameters": list(_describe_parameters(operation, schemas)),
        "responses": _describe_responses(operation),
    }
    if operation.body is not None:
        schema = {"$ref": _REF.format(model=operation.body.__name__)}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _describe_role(operation: Operation) -> str:
    if operation.role is None:
        return "For everybody who is signed in."
    machines = ", signed in; no token may do it" if operation.for_people else ""
    return f"Takes the role {operation.role}{machines}."


def _describe_parameters(operation: Operation, schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, (pattern, description) in PATH_PARAMETERS.items():
        if f"{{{name}}}" in operation.path:
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": description,
                "schema": {"type": "string", "pattern": f"^{pattern}$"},
            }
    model = schemas[operation.query.__name__]
    for name, schema in model.get("properties", {}).items():
        shown = {key: value for key, value in schema.items() if key not in {"description", "title"}}
        yield {
            "name": name,
            "in": "query",
            "required": name in model.get("required", ()),
            "description": schema.get("description", ""),
            "schema": _without_null(shown),
        }
    if operation.is_change:
        yield _KEY
    if operation.is_change and "{id}" in operation.path:
        yield _IF_MATCH
    if operation.has_version:
        yield _IF_NONE_MATCH


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave null out: a URL has no null, only no parameter."""
    choices = [one for one in schema.pop("anyOf", []) if one.get("type") != "null"]
    if schema.get("default", "") is None:
        del schema["default"]
    return {**schema, **(choices[0] if len(choices) == 1 else {})}


def _describe_responses(operation: Operation) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(operation.answer)}}
    headers = {"ETag": {"schema": {"type": "string"}}} if operation.has_version else {}
    if operation.is_change:
        headers[REPLAYED] = {"schema": {"const": "true"}}
    responses: dict[str, Any] = {"200": _response(HTTPStatus.OK, content, headers)}
    if operation.has_version:
        responses["304"] = {"description": "Nothing has changed"}

    errors = {*SHARED_ERRORS, *operation.errors, *(BODY_ERRORS if operation.body else ())}
    for status in sorted(errors):
        is_problem = status >= HTTPStatus.BAD_REQUEST
        problem = {MEDIA_TYPE: {"schema": _ref(ProblemDetails)}}
        responses[str(status.value)] = _response(status, problem if is_problem else content)
    return responses


def _response(
    status: HTTPStatus, content: dict[str, Any], headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    described: dict[str, Any] = {"description": status.phrase, "content": content}
    return {**described, "headers": headers} if headers else described


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _describe_document() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "readOpenApi",
        "summary": "This document",
        "description": "For everybody, without signing in.",
        "security": [],
        "responses": {"200": _response(HTTPStatus.OK, content)},
    }


def list_operations() -> Sequence[tuple[str, str, str, str]]:
    """Return method, path, role and summary of each operation, for the documentation."""
    return [
        (one.method, f"{ROOT}{one.path}", one.role or "signed in", one.summary)
        for one in OPERATIONS
    ]
