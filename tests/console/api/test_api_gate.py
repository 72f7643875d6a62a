"""Who may do what over the API, and what is no request at all."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from temporalio.client import Client

from clawback.console.access.request_limits import RateLimiter
from clawback.console.access.who import Visitor
from clawback.console.api.application import build_api
from clawback.console.api.cursors import write_cursor
from clawback.console.api.operation_list import OPERATIONS
from clawback.console.api.operations import Operation
from clawback.model.identity import Role
from clawback.temporal.access_gateway import AccessGateway
from tests.console.api.running_api import ROOT, RunningApi, open_client, running_api, visit
from tests.people import person

CALLERS = (None, *Role)


def path_of(operation: Operation) -> str:
    """A path of an operation, of things that do not exist."""
    filled = operation.path.replace("{id}", "r/0123456789abcdef").replace("{undo}", "0" * 12)
    return filled.removeprefix("/")


async def ask(client: httpx.AsyncClient, operation: Operation) -> httpx.Response:
    """Send a request that is right but for what it names."""
    bodies = {"approve": {"digest": "1-0123456789ab"}, "comment": {"text": "x"}}
    body = {**bodies, "assign": {"to": "me"}}.get(operation.path.rpartition("/")[2], {})
    if operation.method == "GET":
        return await client.get(path_of(operation))
    return await client.post(path_of(operation), json=body)


async def test_every_operation_takes_its_role(api: RunningApi) -> None:
    """The whole matrix: 401 for nobody, 403 below the role, and never for those who may."""
    for operation in OPERATIONS:
        for role in CALLERS:
            answer = await ask(api.of(role), operation)
            where = f"{operation.name} by {role}: {answer.text}"
            if role is None:
                assert answer.status_code == 401, where
                assert answer.headers["www-authenticate"].startswith("Bearer"), where
            else:
                is_enough = operation.role is None or role.includes(operation.role)
                may = is_enough and not operation.for_people
                assert answer.status_code in ({200, 404} if may else {403}), where


async def test_a_person_resumes_what_a_token_stopped(temporal: Client, tmp_path: Path) -> None:
    """With a session; a cookie beside a token counts for nothing."""
    long_ago = visit("ana", timedelta(minutes=16))
    people = {"ana": visit("ana"), "late": long_ago}

    async def read_session(request: Request) -> Visitor | None:
        return people.get(request.cookies.get("session", ""))

    async with running_api(temporal, tmp_path, read_session) as api:
        stopped = (await api.analyst.post("stop", json={"reason": "looks wrong"})).json()
        assert (stopped["stopped"], stopped["by"]) == (True, "token analyst of a test")
        status = (await api.viewer.get("status")).json()
        assert status["containment"]["reason"] == "looks wrong"

        cookie = {"Cookie": "session=ana"}
        refused = await api.operator.post("resume", json={}, headers=cookie)
        assert refused.status_code == 403
        assert (await api.nobody.get("me", headers=cookie)).json()["name"] == "ana"
        late = await api.nobody.post("resume", json={}, headers={"Cookie": "session=late"})
        assert (late.status_code, "15 minutes" in late.json()["detail"]) == (403, True)
        resumed = await api.nobody.post("resume", json={"reason": "fixed"}, headers=cookie)
        assert resumed.json()["stopped"] is False
        again = await api.nobody.post("resume", json={}, headers=cookie)
        assert (again.status_code, again.json()["detail"]) == (409, "containment is not stopped")


NO_TOKENS = (
    "Bearer clawback_" + "x" * 43,
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "clawback_x",
    "Bearer " + "x" * 5_000,
    "Bearer \u00e9",
)


async def test_what_is_no_token_opens_nothing(api: RunningApi) -> None:
    """Nor do two: a proxy and this server could read different ones."""
    for header in NO_TOKENS:
        headers = [(b"Authorization", header.encode("latin-1"))]
        answer = await api.nobody.get("me", headers=headers)
        assert answer.status_code == 401, header[:20]
    token = f"Bearer {api.tokens[Role.VIEWER]}"
    twice = [("Authorization", token), ("Authorization", token)]
    assert (await api.nobody.get("me", headers=twice)).status_code == 401


async def test_a_revoked_token_stops_opening(api: RunningApi) -> None:
    """At the next read of this process, at most ten seconds later."""
    me = (await api.analyst.get("me")).json()
    assert (me["source"], me["roles"]) == ("token", ["analyst"])
    await AccessGateway(api.deployment.client).revoke_token(me["subject"], person("ana"))
    await api.services.access.read()
    assert (await api.analyst.get("me")).status_code == 401


async def test_whoever_tries_tokens_is_slowed_down(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And learns when to come back. The clock stands still: each second allows one more."""
    still = partial(RateLimiter, clock=lambda: 0.0)
    monkeypatch.setattr("clawback.console.api.application.RateLimiter", still)
    app = Starlette(routes=[build_api(api.services)])
    async with open_client(app, "x") as guessing:
        answers = await asyncio.gather(*(guessing.get("me") for _ in range(70)))
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) == 10
    assert int(limited[0].headers["retry-after"]) >= 1
    async with open_client(app, api.tokens[Role.VIEWER]) as viewer:
        assert (await viewer.get("me")).status_code == 200


WRONG: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "cases?stat=held", {}, 400, "unknown parameter `stat`; did you mean `state`?"),
    ("GET", "cases?state=held&state=held", {}, 400, "the parameter `state` is there twice"),
    ("GET", "cases?state=open", {}, 422, "query.state"),
    ("GET", "cases?limit=0", {}, 422, "query.limit"),
    ("GET", "cases?limit=201", {}, 422, "query.limit"),
    ("GET", "cases?rule=%00", {}, 422, "query.rule"),
    ("GET", "cases?since=yesterday", {}, 422, "query.since"),
    ("GET", "cases?cursor=xyz", {}, 422, "query.cursor"),
    ("GET", "me?x=1", {}, 400, "unknown parameter `x`; known: none"),
    ("GET", "nothing", {}, 404, "There is no such operation"),
    ("GET", "cases/not-a-case", {}, 404, "There is no such operation or case"),
    ("DELETE", "cases", {}, 405, "another method"),
    ("GET", "stop", {}, 405, "another method"),
    ("POST", "stop", {"content": b"{}"}, 415, "application/json"),
    ("POST", "stop", {"data": {"reason": "x"}}, 415, "application/json"),
    ("POST", "stop", {"json": {"reasons": "x"}}, 422, "body.reasons"),
    ("POST", "stop", {"json": []}, 422, "body"),
    ("POST", "stop", {"json": {"reason": "x" * 2_001}}, 422, "body.reason"),
    ("POST", "stop", {"json": {"reason": "x" * 70_000}}, 413, "larger than"),
    ("POST", "cases/0123/approve", {"json": {}}, 422, "body.digest"),
    ("POST", "cases/0123/approve", {"json": {"digest": "latest"}}, 422, "body.digest"),
]


async def test_wrong_input_is_named(api: RunningApi) -> None:
    """As problem details, always."""
    for method, path, content, status, said in WRONG:
        answer = await api.operator.request(method, path, **content)
        where = f"{method} {path}: {answer.text}"
        assert answer.status_code == status, where
        assert answer.headers["content-type"] == "application/problem+json", where
        problem = answer.json()
        assert problem["status"] == status, where
        assert said in problem["detail"], where


async def test_json_that_is_none_is_a_400(api: RunningApi) -> None:
    """Also JSON nested without end."""
    headers = {"Content-Type": "application/json"}
    for content in (b"", b"{", b"\xff", b"[" * 30_000):
        answer = await api.operator.post("stop", content=content, headers=headers)
        assert answer.status_code == 400, content[:10]
    bad = {**headers, "Idempotency-Key": "x" * 256}
    assert (await api.operator.post("stop", content=b"{}", headers=bad)).status_code == 400


async def test_a_cursor_of_another_list_is_refused(api: RunningApi) -> None:
    """The other parameters are part of it."""
    answer = await api.viewer.get("cases", params={"cursor": write_cursor({"x": 1}, "AAAA")})
    assert answer.status_code == 422
    assert "another list" in answer.json()["detail"]


async def test_the_document_needs_no_token(api: RunningApi) -> None:
    """It says nothing about this installation."""
    answer = await api.nobody.get("openapi.json")
    assert answer.status_code == 200
    assert answer.json()["servers"] == [{"url": ROOT}]


async def test_rules_blocks_and_status_are_read(api: RunningApi) -> None:
    """As the installation has them."""
    rules = (await api.viewer.get("rules")).json()
    assert {rule["mode"] for rule in rules["items"]} <= {"shadow", "approve", "enforce", None}
    assert len(rules["items"]) > 5
    assert (await api.viewer.get("blocks")).json() == {"items": []}
    status = (await api.viewer.get("status")).json()
    assert status["containment"]["stopped"] is False
    assert status["cases"] == {"held": 0, "responding": 0, "settled": 0}
