"""Properties of every operation in the catalogue."""

import inspect
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.cloudflare import ApiError, BatchResult, EmailSecurity, Page
from clawback.cloudflare.account_settings import AccountSettings
from clawback.cloudflare.operation_catalogue import OPERATIONS, Operation, Permission
from clawback.cloudflare.wire_model import WireModel
from tests.cloudflare.support import URL, always, envelope, recording
from tests.cloudflare.test_lenient import JSON, RECORDS
from tests.cloudflare.test_recorded import CASES, load
from tests.contract.test_requests import CALLS, call

POLICIES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "policies.json").read_text(encoding="utf-8")
)
ARGUMENTS: dict[str, Mapping[str, Any]] = dict(reversed(CALLS))
EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
RECORDED = {load(case, "answer.json")["call"]["method"] for case in CASES}
NOT_READ = {"close", "aclose", "on"}


def test_the_catalogue_is_the_client() -> None:
    """Every public coroutine of the client is an operation or an alias, and nothing else is."""
    kinds = get_type_hints(AccountSettings)
    offered = {
        name
        for name, _ in inspect.getmembers(EmailSecurity, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    for kind, policies in kinds.items():
        verbs = {
            name
            for name, _ in inspect.getmembers(policies, inspect.iscoroutinefunction)
            if not name.startswith("_")
        }
        offered |= {
            f"settings.{kind}.{verb}"
            for verb in (verbs if policies.batch_kinds else verbs - {"batch"})
        }
    named = [name for operation in OPERATIONS for name in (operation.name, *operation.aliases)]
    assert sorted(named) == sorted(offered - NOT_READ)
    assert len({operation.command for operation in OPERATIONS}) == len(OPERATIONS)


@EVERY
async def test_a_row_says_what_is_sent(operation: Operation) -> None:
    """Method, endpoint and permission match the request and the docstring."""
    requests: list[httpx.Request] = []
    await call(recording(requests, envelope([])), operation.name, ARGUMENTS[operation.name])
    path = httpx.URL(URL).path
    sent = requests[0].url.path.removeprefix(path).split("/email-security/")[1].split("/")
    assert (requests[0].method, len(sent)) == (operation.method, len(operation.endpoint.split("/")))
    assert all(
        part in ("{id}", said)
        for part, said in zip(operation.endpoint.split("/"), sent, strict=True)
    )
    assert f"Permission: {operation.permission}" in " ".join(
        (inspect.getdoc(operation.function) or "").split()
    )
    assert operation.permission is (
        Permission.READ if requests[0].method == "GET" else Permission.WRITE
    )


@EVERY
@pytest.mark.parametrize("shape", ["new", "old"])
async def test_a_policy_of_any_age_is_read_by_every_verb(operation: Operation, shape: str) -> None:
    """Numeric ids and old field names give the same record."""
    if not operation.name.startswith("settings.") or operation.command[1] == "verification":
        assert {operation.name, *operation.aliases} & RECORDED  # these have folders of their own
        return
    told = POLICIES[operation.name.split(".")[1]]
    raw, verb = told[shape], operation.command[1]
    results = {
        "list": [raw],
        "delete": {"id": raw["id"]},
        "batch": {"deletes": [{"id": raw["id"]}], "patches": [raw], "posts": [raw], "puts": [raw]},
    }
    target = operation.bind(always(envelope(results.get(verb, raw))))
    read = await target(**ARGUMENTS[operation.name])
    assert all(is_read(record, told["read"], str(raw["id"])) for record in records_of(read))
    assert len(records_of(read)) == {"delete": 0, "batch": 3}.get(verb, 1)


def records_of(read: Any) -> list[WireModel]:
    match read:
        case Page():
            return list(read.items)
        case BatchResult():
            return [*read.patches, *read.posts, *read.puts]
        case WireModel():
            return [read]
    return []


def is_read(record: Any, expected: dict[str, Any], identity: str) -> bool:
    """Whether a record has every expected value under current names, typed and raw."""
    typed = {name: getattr(record, name) for name in expected}
    as_told = {
        name: list(value) if isinstance(value, tuple) else value for name, value in typed.items()
    }
    changed = datetime(2026, 11, 1, 8, 0, 1, tzinfo=UTC)
    return (record.id, record.modified_at, as_told) == (
        identity,
        changed,
        expected,
    ) and "last_modified" not in record.record


@EVERY
@given(result=st.lists(RECORDS | JSON, max_size=4) | RECORDS | JSON, info=JSON | RECORDS)
@settings(max_examples=10)
async def test_no_answer_can_crash_an_operation(
    operation: Operation, result: Any, info: Any
) -> None:
    """Any success gives a value or an `ApiError`; a page holds every record."""
    body = {"success": True, "result": result, "result_info": info}
    try:
        read = await operation.bind(always(httpx.Response(200, json=body)))(
            **ARGUMENTS[operation.name]
        )
    except ApiError:
        return
    if isinstance(read, Page):
        assert len(read.items) + len(read.rejected) == len(result or [])
