"""Every request of the client is documented in OpenAPI, and nothing in it is deprecated."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from clawback.cloudflare import Batch, EmailSecurity, Resubmission
from clawback.model.messages import Destination, Disposition
from tests.cloudflare.support import ACCOUNT, END, IID, START, URL, WINDOW, envelope, recording
from tests.contract.openapi import document, needs_document, operation, problems_of

pytestmark = needs_document
ROOT = urlsplit(URL).path
ACCOUNT_PATH = f"/accounts/{ACCOUNT}/email-security"
METHODS = {"get", "post", "put", "patch", "delete"}
UUID = "6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11"
SEARCH = {
    "sender": "a@b.test",
    "detections_only": False,
    "final_disposition": "MALICIOUS-BEC",
    "domain": None,
}
PATTERN = {"pattern": "a@b.test", "pattern_type": "EMAIL"}

CALLS: list[tuple[str, Mapping[str, Any]]] = [
    ("messages", WINDOW),
    (
        "messages",
        {
            **WINDOW,
            "cursor": "c",
            "per_page": 1,
            "detections_only": True,
            "message_action": "MOVED",
            "final_disposition": "SPAM",
        },
    ),
    (
        "messages",
        {
            **WINDOW,
            "sender": "a@b",
            "recipient": "c@d",
            "subject": "s",
            "message_id": "<x>",
            "alert_id": "a",
            "domain": "d",
        },
    ),
    ("messages", {**WINDOW, "query": "x y", "delivery_status": "delivered", "sender": None}),
    ("message", {"id": IID}),
    ("message", {"id": IID, "submission": True}),
    ("detections", {"id": IID}),
    ("action_log", {"id": IID}),
    *(("move", {"ids": [IID, "x"], "destination": destination}) for destination in Destination),
    ("move", {"ids": [IID] * 1000, "destination": "JunkEmail"}),
    *(("reclassify", {"id": IID, "disposition": disposition}) for disposition in Disposition),
    ("phishguard_reports", WINDOW),
    ("phishguard_reports", {**WINDOW, "page": 3, "per_page": 50}),
    ("submissions", WINDOW),
    (
        "submissions",
        {
            **WINDOW,
            "page": 2,
            "type": "TEAM",
            "status": "reviewed",
            "submission_id": "s",
            "original_disposition": "SPAM",
        },
    ),
    (
        "submissions",
        {
            **WINDOW,
            "outcome_disposition": "NONE",
            "requested_disposition": "BULK",
            "escalated_from_user": True,
            "query": "q",
        },
    ),
    ("block_senders", {}),
    ("block_senders", {**PATTERN, "page": 2, "per_page": 10}),
    ("block_sender", {"id": UUID}),
    ("create_block_sender", {**PATTERN, "comments": "c"}),
    ("create_block_sender", {"pattern": "192.0.2.7", "pattern_type": "IP", "comments": ""}),
    ("delete_block_sender", {"id": UUID}),
    ("preview", {"id": IID}),
    ("make_preview", {"id": IID}),
    ("raw", {"id": IID}),
    ("trace", {"id": IID}),
    ("move_one", {"id": IID, "destination": "Inbox"}),
    (
        "reclassify",
        {"id": IID, "disposition": "SPAM", "eml": b"From: x", "escalated_submission_id": "s"},
    ),
    ("release", {"ids": [IID]}),
    ("submit", {"messages": [Resubmission("alert", "SPAM"), Resubmission("alert", "NONE", "s")]}),
    ("move_all", {**WINDOW, **SEARCH, "destination": "JunkEmail", "comment": "c"}),
    ("release_all", {**WINDOW, "comment": "c", "exact_subject": "s", "submissions": False}),
    ("jobs", {}),
    ("jobs", {"action_type": "MOVE", "status": "COMPLETED", "page": 2, "per_page": 5}),
    ("job", {"job_id": UUID}),
    ("job_messages", {"job_id": UUID, "status": "FAILED", "page": 2}),
    ("cancel_job", {"job_id": UUID}),
    ("delete_job", {"job_id": UUID}),
]
ALLOW = dict.fromkeys(
    (
        "is_regex",
        "is_exempt_recipient",
        "is_trusted_sender",
        "is_acceptable_sender",
        "verify_sender",
    ),
    False,
)
MODES = {
    "allowed_delivery_modes": ["API"],
    "drop_dispositions": ["MALICIOUS"],
    "ip_restrictions": ["192.0.2.0/24"],
    "regions": ["GLOBAL"],
}
OPTIONS = {"search": "x", "order": "created_at", "direction": "desc", "page": 2, "per_page": 10}
TRUSTED = {"pattern": "b.test", "is_regex": False, "is_recent": True, "is_similarity": False}

# kind of policy: what it is made of, what is changed, what it is listed by
POLICIES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "allow_policies": (
        {**PATTERN, **ALLOW, "comments": "c"},
        {"comments": None},
        {**OPTIONS, **PATTERN, "verify_sender": True},
    ),
    "block_senders": ({**PATTERN, "is_regex": False}, {"comments": "d"}, {**OPTIONS, **PATTERN}),
    "trusted_domains": (
        TRUSTED,
        {"is_recent": False},
        {**OPTIONS, "is_recent": True, "is_similarity": False, "pattern": "b.test"},
    ),
    "impersonation_registry": (
        {"name": "J", "email": "j@b.test", "is_email_regex": False},
        {"email": "k@b.test"},
        {**OPTIONS, "provenance": "A1S_INTERNAL"},
    ),
    "domains": (
        {**MODES, "domain": "b.test", "lookback_hops": 2},
        {"regions": ["AU"]},
        {**OPTIONS, "domain": ["a.test", "b.test"], "status": "active"},
    ),
    "sending_domain_restrictions": (
        {"domain": "b.test", "exclude": ["x.b.test"]},
        {"comments": "c"},
        {**OPTIONS, "order": None},
    ),
    "url_ignore_patterns": (
        {"pattern": "^https://ok"},
        {"comments": "c"},
        {"page": 2, "per_page": 10},
    ),
    "content_policies": (
        {"name": "n", "pattern": "p", "enabled": True, "targets": ["SUBJECT"]},
        {"enabled": False},
        {"name": "n", "enabled": True},
    ),
}
for kind, (made, changed, filters) in POLICIES.items():
    CALLS += [
        (f"settings.{kind}.list", {}),
        (f"settings.{kind}.list", filters),
        (f"settings.{kind}.create", made),
        (f"settings.{kind}.edit", {"id": UUID, **changed}),
        (f"settings.{kind}.get", {"id": UUID}),
        (f"settings.{kind}.delete", {"id": UUID}),
    ]
    if kind == "sending_domain_restrictions":
        CALLS.append((f"settings.{kind}.batch", {"changes": Batch(deletes=[UUID])}))
    elif kind != "impersonation_registry":
        CALLS.append(
            (
                f"settings.{kind}.batch",
                {"changes": Batch([UUID], {UUID: changed}, {UUID: made}, [made])},
            )
        )
CALLS += [
    ("settings.domains.replace", {"id": UUID, **MODES}),
    ("settings.domains.verification", {"id": UUID}),
]


@pytest.mark.parametrize(("method", "arguments"), CALLS)
async def test_a_request_is_as_the_document_describes_it(
    method: str, arguments: Mapping[str, Any]
) -> None:
    """Path, query and body are known, valid and not deprecated."""
    requests: list[httpx.Request] = []
    await call(recording(requests, envelope([])), method, arguments)
    assert [problems_of(request, ROOT) for request in requests] == [[]]


async def call(api: EmailSecurity, method: str, arguments: Mapping[str, Any]) -> None:
    """Make a call for its request only."""
    target: Any = api
    for name in method.split("."):
        target = getattr(target, name)
    try:
        await target(**arguments)
    except Exception as error:  # noqa: BLE001 - the answer is not the point here
        assert "record" in str(error) or "result" in str(error), error  # noqa: PT017 - several errors are right


def test_the_client_has_every_operation_that_is_not_deprecated() -> None:
    """Operations that the client lacks are listed here, with reasons."""
    requests: list[tuple[str, str]] = [
        (name, method)
        for name, item in document()["paths"].items()
        for method in item
        if method in METHODS
    ]
    spoken = {(template, method.lower()) for template, method in asked()}
    unspoken = {
        (template.partition("/email-security/")[2], method)
        for template, method in requests
        if (template, method) not in spoken
    }
    assert unspoken == {
        ("settings/domains", "delete")
    }  # deprecated, and takes its ids in the body of a DELETE: batch does it


def asked() -> set[tuple[str, str]]:
    """The operations of all calls above."""
    found: list[httpx.Request] = []
    for method, arguments in CALLS:
        asyncio.run(call(recording(found, envelope([])), method, arguments))
    return {
        (
            operation(r.method, r.url.raw_path.decode().partition("?")[0].removeprefix(ROOT))[0],
            r.method,
        )
        for r in found
    }


def test_the_check_finds_violations() -> None:
    """An unknown parameter, an invalid value, a deprecated field, a missing body."""
    base = f"{URL}{ACCOUNT_PATH}"
    wrong = [
        httpx.Request("GET", f"{base}/investigate?page=2"),
        httpx.Request("GET", f"{base}/investigate?foo=2"),
        httpx.Request("GET", f"{base}/investigate?per_page=5000"),
        httpx.Request("GET", f"{base}/investigate?detections_only=maybe"),
        httpx.Request("POST", f"{base}/investigate/move"),
        httpx.Request("POST", f"{base}/investigate/move", json={"ids": ["x"]}),
        httpx.Request(
            "POST", f"{base}/investigate/move", json={"ids": ["x"], "destination": "Nowhere"}
        ),
        httpx.Request(
            "POST", f"{base}/investigate/move", json={"postfix_ids": ["x"], "destination": "Inbox"}
        ),
        httpx.Request("GET", f"{base}/settings/block_senders/{UUID}", json={}),
    ]
    assert all(problems_of(request, ROOT) for request in wrong)


async def test_a_move_is_exactly_destination_and_ids() -> None:
    """Its body has nothing else; times of a search are UTC with microseconds."""
    requests: list[httpx.Request] = []
    api = recording(requests, envelope([]))
    await api.move([IID], "RecoverableItemsDeletions")
    await api.messages(start=START, end=END + timedelta(microseconds=5))
    assert (
        requests[0].content
        == b'{"destination":"RecoverableItemsDeletions","ids":["' + IID.encode() + b'"]}'
    )
    assert requests[1].url.params["start"] == "2026-11-01T00:00:00.000000Z"
    assert requests[1].url.params["end"] == "2026-11-02T00:00:00.000005Z"
    assert requests[1].url.params["detections_only"] == "false"


async def test_an_id_that_looks_like_a_path_stays_an_id() -> None:
    """Whatever the id, the request reaches the intended operation."""
    requests: list[httpx.Request] = []
    api = recording(requests, envelope({"id": "x"}))
    await api.message("../move?x=1#y")
    template, _, filled = operation("GET", requests[0].url.raw_path.decode().removeprefix(ROOT))
    assert template.endswith("/investigate/{investigate_id}")
    assert filled["investigate_id"] == "../move?x=1#y"
