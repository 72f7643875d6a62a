"""Checks requests and responses against the OpenAPI document.

The document is beside the repository (`../shared/api`); tests that need it are skipped without it.
"""

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parents[3] / "shared" / "api" / "openapi-email-security.json"
needs_document = pytest.mark.skipif(
    not DOCUMENT.exists(), reason="the OpenAPI document is not beside the repository"
)

# What the newest clients send although the document of 2026-08-14 does not know it (reference §4.3
# and §7).
NEWER_QUERY = {
    "email_security_investigate": {"smtp_helo_ip"},
    "email_security_get_phishguard_reports": {"page", "per_page"},
    "email_security_submissions": {"order", "direction"},
}
NEWER_BODY = {"email_security_post_preview"}
# Schemas of create and update reuse the full object, whose read-only fields are listed as required
# (reference §4.3).
READ_ONLY = {"id", "created_at", "last_modified", "modified_at"}


@cache
def document() -> dict[str, Any]:
    """Load the document once, converted to current JSON Schema."""
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"), object_hook=_modern)
    return loaded


def _modern(node: dict[str, Any]) -> dict[str, Any]:
    """Convert OpenAPI 3.0's `nullable` to a schema that accepts null."""
    if node.pop("nullable", False) is not True:
        return node
    return {"anyOf": [node, {"type": "null"}]}


def operation(method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Find the operation of a request: its path template, description and path parameters.

    Fixed paths precede templates.
    """
    found = [item for item in _operations(method) if (match := item[1].fullmatch(path)) and match]
    assert found, f"no operation for {method} {path}"
    template, pattern, described = min(found, key=lambda item: item[0].count("{"))
    match = pattern.fullmatch(path)
    assert match
    return template, described, {name: unquote(value) for name, value in match.groupdict().items()}


def problems_of(request: httpx.Request, root: str) -> list[str]:
    """Return everything that is wrong with a request: parameters, query, body, deprecations."""
    path = request.url.raw_path.decode().partition("?")[0].removeprefix(root)
    _, described, filled = operation(request.method, path)
    parameters = [
        _resolve(parameter)
        for parameter in (*described.get("parameters", ()), *_shared(request.method, path))
    ]
    return [
        *_query_problems(
            request,
            described["operationId"],
            {p["name"]: p for p in parameters if p["in"] == "query"},
        ),
        *(
            p
            for name, value in filled.items()
            for p in _value_problems(name, value, _schema_of(parameters, name))
        ),
        *_body_problems(request, described),
    ]


def answer_problems(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return everything that is wrong with a response, by the schema of its status."""
    responses = operation(method, path)[1]["responses"]
    response = _resolve(responses.get(str(status)) or responses[f"{status // 100}XX"])
    content = response.get("content", {}).get("application/json")
    return _schema_problems(body, content["schema"]) if content else []


def _operations(method: str) -> Iterator[tuple[str, re.Pattern[str], dict[str, Any]]]:
    for template, item in document()["paths"].items():
        if method.lower() in item:
            yield (
                template,
                re.compile(re.sub(r"\\?\{(\w+)\\?\}", r"(?P<\1>[^/]+)", template)),
                item[method.lower()],
            )


def _shared(method: str, path: str) -> list[dict[str, Any]]:
    shared: list[dict[str, Any]] = document()["paths"][operation(method, path)[0]].get(
        "parameters", []
    )
    return shared


def _query_problems(
    request: httpx.Request, name: str, known: dict[str, dict[str, Any]]
) -> Iterator[str]:
    for key, value in parse_qsl(request.url.query.decode(), keep_blank_values=True):
        if key not in known:
            if key not in NEWER_QUERY.get(name, set()):
                yield f"query {key} is not known"
        elif known[key].get("deprecated"):
            yield f"query {key} is deprecated"
        else:
            yield from _value_problems(key, value, known[key]["schema"])


def _value_problems(name: str, text: str, schema: dict[str, Any]) -> Iterator[str]:
    """Check a query or path value, as it is or as the JSON value it spells."""
    spelled = [text]
    if re.fullmatch(r"-?\d+|true|false", text):
        spelled.append(json.loads(text))
    if all(
        _schema_problems(value, schema) and _schema_problems([value], schema) for value in spelled
    ):
        yield f"{name}={text!r} does not fit"


def _schema_of(parameters: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(
        (p["schema"] for p in parameters if p["in"] == "path" and p["name"] == name),
        {"type": "string"},
    )


def _body_problems(request: httpx.Request, described: dict[str, Any]) -> Iterator[str]:
    expected = described.get("requestBody")
    if not request.content:
        if expected and expected.get("required"):
            yield "a body is missing"
        return
    if expected is None:
        yield "a body is not expected"
        return
    if request.headers["content-type"] != "application/json":
        yield "the body is not declared as JSON"
    body = json.loads(request.content)
    if described["operationId"] not in NEWER_BODY:
        yield from _schema_problems(
            body, expected["content"]["application/json"]["schema"], lenient=READ_ONLY
        )
    yield from _deprecated(body, _resolve(expected["content"]["application/json"]["schema"]))


def _deprecated(body: Any, schema: dict[str, Any]) -> Iterator[str]:
    for name, described in schema.get("properties", {}).items():
        if isinstance(body, dict) and name in body and _resolve(described).get("deprecated"):
            yield f"{name} is deprecated"


def _schema_problems(
    value: Any, schema: dict[str, Any], lenient: Collection[str] = frozenset()
) -> list[str]:
    validator = Draft202012Validator(
        {**schema, "components": document()["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(value)
        if not (
            error.validator == "required" and any(f"'{name}'" in error.message for name in lenient)
        )
        and not (
            lenient and "('id' was unexpected)" in error.message
        )  # batch bodies must name ids that their own schemas forbid
    ]


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node
