"""The OpenAPI document: valid, and the same as what the routes do."""

from typing import Any

import httpx
from jsonschema import Draft202012Validator
from starlette.routing import Mount, Route

from clawback.console.api.openapi import ROOT, build_document
from clawback.console.api.operation_list import OPERATIONS
from tests.console.api.running_api import RunningApi
from tests.console.api.test_cases import act, hold


def test_the_document_and_the_routes_agree(api: RunningApi) -> None:
    """Every route is described, and nothing else is."""
    (mount,) = api.app.routes
    assert isinstance(mount, Mount)
    assert mount.path == ROOT
    routed = {
        (method.lower(), route.path_format)
        for route in mount.routes
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    described = {
        (method, path) for path, item in build_document()["paths"].items() for method in item
    }
    assert routed == described
    assert len(described) == len(OPERATIONS) + 1


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere() -> None:
    """OpenAPI 3.1 takes JSON Schema 2020-12."""
    document = build_document()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in find_references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_operations_and_their_parameters_are_described() -> None:
    """By a sentence each, and by ids that generators of clients can use."""
    document = build_document()
    operations = [one for item in document["paths"].values() for one in item.values()]
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids)
    assert all(id_.isalnum() for id_ in ids)
    for operation in operations:
        assert operation["summary"]
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (operation["operationId"], parameter["name"])


async def test_answers_are_as_described(api: RunningApi) -> None:
    """Checked with the schemas that clients get, problems too."""
    held, digest = await hold(api)
    acted, _ = await act(api)
    answers = [
        await api.viewer.get("cases"),
        await api.viewer.get(f"cases/{held}"),
        await api.viewer.get(f"cases/{acted}"),
        await api.viewer.get(f"cases/{acted}/messages"),
        await api.viewer.get("history"),
        await api.viewer.get("rules"),
        await api.viewer.get("blocks"),
        await api.viewer.get("status"),
        await api.viewer.get("me"),
        await api.analyst.post(f"cases/{acted}/undo", json={"dry_run": True}),
        await api.analyst.post(f"cases/{held}/comment", json={"text": "seen"}),
        await api.analyst.post(f"cases/{held}/assign", json={"to": "me"}),
        await api.analyst.post(f"cases/{held}/approve", json={"digest": digest}),
        await api.analyst.post(f"cases/{held}/approve", json={"digest": digest}),
    ]
    assert [one.status_code for one in answers] == [200] * 13 + [409]
    for answer in answers:
        validate(answer)


def validate(answer: httpx.Response) -> None:
    """Check an answer with the schema of its operation and status; nothing is undescribed."""
    document = build_document()
    operation = find_operation(document, answer.request)
    described = operation["responses"][str(answer.status_code)]["content"]
    schema = described[answer.headers["content-type"]]["schema"]
    known = {"components": document["components"], **schema}
    Draft202012Validator(known).validate(answer.json())


def find_operation(document: dict[str, Any], request: httpx.Request) -> dict[str, Any]:
    """Find the operation of a request by its last words."""
    path = request.url.path.removeprefix(ROOT)
    if path.startswith("/cases/"):
        last = path.rpartition("/")[2]
        words = {"messages", "approve", "deny", "comment", "assign", "undo"}
        path = f"/cases/{{id}}/{last}" if last in words else "/cases/{id}"
    found: dict[str, Any] = document["paths"][path][request.method.lower()]
    return found


def find_references(value: Any) -> list[str]:
    """Find every reference in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for item in value.values() for one in find_references(item)]
    if isinstance(value, list):
        return [one for item in value for one in find_references(item)]
    return []
