"""Checking answers against the OpenAPI document of the API."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "api" / "openapi-email-security.json"
PREFIX = "/accounts/{account_id}/email-security"


@cache
def document() -> dict[str, Any]:
    """Read the document, with OpenAPI 3.0's `nullable` turned into what JSON Schema understands."""
    turned: dict[str, Any] = _nullable(json.loads(DOCUMENT.read_text(encoding="utf-8")))
    return turned


def check(method: str, path: str, status: int, body: Any) -> None:
    """Fail unless the body is one that the operation may answer with that status."""
    root = document()
    responses = root["paths"][PREFIX + path][method]["responses"]
    response = responses.get(str(status)) or responses["4XX"]
    if "$ref" in response:
        response = root["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator(
        {**schema, "components": root["components"]}, format_checker=jsonschema.FormatChecker()
    )
    problems = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in validator.iter_errors(body)
    ]
    assert not problems, f"{method} {path} {status}: {problems[:5]}"


def _nullable(value: Any) -> Any:
    if isinstance(value, list):
        return [_nullable(item) for item in value]
    if not isinstance(value, dict):
        return value
    turned = {name: _nullable(item) for name, item in value.items() if name != "nullable"}
    return {"anyOf": [turned, {"type": "null"}]} if value.get("nullable") is True else turned
