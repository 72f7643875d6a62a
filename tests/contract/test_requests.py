"""Every request that the client can send is one that the OpenAPI document describes, and nothing in it is deprecated."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from clawback.actions import Destination, Disposition
from clawback.cloudflare import EmailSecurity
from tests.cloudflare.stand import ACCOUNT, END, IID, START, URL, WINDOW, envelope, recording
from tests.contract.openapi import needs_document, operation, problems_of

pytestmark = needs_document
ROOT = urlsplit(URL).path
ACCOUNT_PATH = f"/accounts/{ACCOUNT}/email-security"
UUID = "6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11"
PATTERN = {"pattern": "a@b.test", "pattern_type": "EMAIL"}

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("messages", WINDOW),
    ("messages", {**WINDOW, "cursor": "c", "per_page": 1, "detections_only": True, "message_action": "MOVED", "final_disposition": "SPAM"}),
    ("messages", {**WINDOW, "sender": "a@b", "recipient": "c@d", "subject": "s", "message_id": "<x>", "alert_id": "a", "domain": "d"}),
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
    ("submissions", {**WINDOW, "page": 2, "type": "TEAM", "status": "reviewed", "submission_id": "s", "original_disposition": "SPAM"}),
    ("submissions", {**WINDOW, "outcome_disposition": "NONE", "requested_disposition": "BULK", "escalated_from_user": True, "query": "q"}),
    ("block_senders", {}),
    ("block_senders", {**PATTERN, "page": 2, "per_page": 10}),
    ("block_sender", {"id": UUID}),
    ("create_block_sender", {**PATTERN, "comments": "c"}),
    ("create_block_sender", {"pattern": "192.0.2.7", "pattern_type": "IP", "comments": ""}),
    ("delete_block_sender", {"id": UUID}),
]


@pytest.mark.parametrize(("method", "arguments"), CALLS)
async def test_a_request_is_as_the_document_describes_it(method: str, arguments: dict[str, Any]) -> None:
    """Path, query, body: each is known, of the right kind, and not deprecated."""
    requests: list[httpx.Request] = []
    await call(recording(requests, envelope([])), method, arguments)
    assert [problems_of(request, ROOT) for request in requests] == [[]]


async def call(api: EmailSecurity, method: str, arguments: dict[str, Any]) -> None:
    """Make a call for the sake of its request alone."""
    target: Any = api
    for name in method.split("."):
        target = getattr(target, name)
    try:
        await target(**arguments)
    except Exception as error:  # noqa: BLE001 - the answer is not the point here
        assert "record" in str(error) or "result" in str(error), error  # noqa: PT017


def test_the_check_finds_what_is_wrong() -> None:
    """The judge itself: an unknown query name, a wrong value, a deprecated field and a missing body are all found."""
    base = f"{URL}{ACCOUNT_PATH}"
    wrong = [
        httpx.Request("GET", f"{base}/investigate?page=2"),
        httpx.Request("GET", f"{base}/investigate?foo=2"),
        httpx.Request("GET", f"{base}/investigate?per_page=5000"),
        httpx.Request("GET", f"{base}/investigate?detections_only=maybe"),
        httpx.Request("POST", f"{base}/investigate/move"),
        httpx.Request("POST", f"{base}/investigate/move", json={"ids": ["x"]}),
        httpx.Request("POST", f"{base}/investigate/move", json={"ids": ["x"], "destination": "Nowhere"}),
        httpx.Request("POST", f"{base}/investigate/move", json={"postfix_ids": ["x"], "destination": "Inbox"}),
        httpx.Request("GET", f"{base}/settings/block_senders/{UUID}", json={}),
    ]
    assert all(problems_of(request, ROOT) for request in wrong)


async def test_a_move_is_exactly_destination_and_ids() -> None:
    """Nothing else is in its body, and times of a search are UTC with microseconds."""
    requests: list[httpx.Request] = []
    api = recording(requests, envelope([]))
    await api.move([IID], "RecoverableItemsDeletions")
    await api.messages(start=START, end=END + timedelta(microseconds=5))
    assert requests[0].content == b'{"destination":"RecoverableItemsDeletions","ids":["' + IID.encode() + b'"]}'
    assert requests[1].url.params["start"] == "2026-11-01T00:00:00.000000Z"
    assert requests[1].url.params["end"] == "2026-11-02T00:00:00.000005Z"
    assert requests[1].url.params["detections_only"] == "false"


async def test_an_id_that_looks_like_a_path_stays_an_id() -> None:
    """Whatever a record calls itself, the request goes to the operation that was meant."""
    requests: list[httpx.Request] = []
    api = recording(requests, envelope({"id": "x"}))
    await api.message("../move?x=1#y")
    template, _, filled = operation("GET", requests[0].url.raw_path.decode().removeprefix(ROOT))
    assert template.endswith("/investigate/{investigate_id}")
    assert filled["investigate_id"] == "../move?x=1#y"
