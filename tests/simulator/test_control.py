"""The control endpoints: adding mail, ledger, request log, counts, faults, reset."""

import json
from datetime import timedelta

import pytest

from clawback.simulator import parse_faults
from clawback.simulator.query_parameters import parse_time
from tests.simulator.conftest import Api, Serve, line

SINCE = "2026-01-01T00:00:00Z"


async def test_messages_as_list_as_lines_and_bare(api: Api) -> None:
    """A JSON list, JSON lines, corpus lines and bare records are accepted."""
    assert (
        await api.control("/messages", json.dumps([line("a"), line("b")["message"]]))
    ).json() == {"injected": 2}
    lines = "\n".join(json.dumps(line(identity)) for identity in ("c", "d")) + "\n\n"
    assert (await api.control("/messages", lines)).json() == {"injected": 2}
    assert {record["id"] for record in await api.result("/investigate", start=SINCE)} == {
        "a",
        "b",
        "c",
        "d",
    }


async def test_messages_can_arrive_now(api: Api) -> None:
    """With `stamp=now` a message is scanned now."""
    before = api.simulator.account.now
    await api.control("/messages?stamp=now", json.dumps([line("a", "2020-01-01T00:00:00Z")]))
    scanned = parse_time((await api.result("/investigate/a"))["scanned_at"])
    assert scanned is not None
    assert before <= scanned <= api.simulator.account.now


async def test_reports_and_submissions(api: Api) -> None:
    """Both are added like messages; a submission with a known id replaces it."""
    fields = {"to": [], "postfix_id": "pf"}
    report = {
        "id": 5,
        "title": "t",
        "content": "c",
        "priority": "low",
        "disposition": "SPAM",
        "fields": fields,
    }
    assert (await api.control("/reports", json.dumps([report]))).json() == {"injected": 1}
    assert (await api.result("/phishguard/reports"))[0]["id"] == 5
    for outcome in (None, "SPAM"):
        await api.control(
            "/submissions", json.dumps({"submission_id": "s", "outcome_disposition": outcome})
        )
    assert [record["outcome_disposition"] for record in await api.result("/submissions")] == [
        "SPAM"
    ]


@pytest.mark.parametrize("path", ["messages", "reports", "submissions"])
@pytest.mark.parametrize(
    "body", ["[{}]", "{", "[1]", '[{"id": ""}]', '[{"id": true, "submission_id": 4}]']
)
async def test_bad_records_are_refused_whole(api: Api, path: str, body: str) -> None:
    """A record without an id is refused with a reason, and nothing is added."""
    good = json.dumps(line("a")) + "\n" if path == "messages" and not body.startswith("[") else ""
    answer = await api.control(f"/{path}", good + body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    state = await api.sim("/state")
    assert (state["messages"], state["reports"], state["submissions"]) == (0, 0, 0)


async def test_ledger_and_request_log_since(api: Api) -> None:
    """Ledger and request log can be read from a sequence number on."""
    api.simulator.add([line("a"), line("b"), line("c")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a", "b", "c"]})
    await api.get("/investigate/a", submission="false")
    assert [row["seq"] for row in await api.sim("/ledger?since=1")] == [2, 3]
    asked = (await api.sim("/requests?since=1"))[0]
    assert (asked["seq"], asked["method"], asked["status"], asked["fault"], asked["query"]) == (
        2,
        "GET",
        200,
        None,
        "submission=false",
    )
    assert asked["template"].endswith("/investigate/{investigate_id}")
    assert asked["path"].endswith("/investigate/a")
    assert asked["seconds"] > 0


async def test_counts(api: Api) -> None:
    """Counts are by endpoint, status and operation."""
    api.simulator.add([line("a")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a"]})
    await api.get("/investigate/nix")
    await api.get("/nowhere")
    counts = await api.sim("/counts")
    assert counts["by_endpoint"] == {
        "POST /investigate/move": 1,
        "GET /investigate/{investigate_id}": 1,
        "GET (unknown)": 1,
    }
    assert counts["by_status"] == {"200": 1, "404": 2}
    assert counts["by_operation"] == {"move": 1}


async def test_faults_can_be_changed(api: Api) -> None:
    """Faults can be set while it runs, as text or as JSON.

    A wrong specification changes nothing.
    """
    assert (await api.control("/faults", "500=1")).json() == {"faults": "500=1"}
    assert (await api.get("/investigate")).status_code >= 500
    assert (await api.control("/faults", "500=2")).status_code == 400
    assert (await api.sim("/state"))["faults"] == "500=1"
    assert (await api.control("/faults", '{"faults": ""}')).json() == {"faults": ""}
    assert (await api.get("/investigate")).status_code == 200


async def test_reset_empties_everything(serve: Serve) -> None:
    """A reset empties account, ledger and request log, and restores the configured faults."""
    api = await serve(faults=parse_faults("slow=1:0"))
    api.simulator.add([line("a")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a"]})
    await api.post(
        "/settings/block_senders",
        {"pattern": "a@b.test", "pattern_type": "EMAIL", "is_regex": False},
    )
    await api.control("/faults", "500=1")
    assert (await api.control("/reset", "")).json() == {"reset": True}
    state = await api.sim("/state")
    assert (state["messages"], state["policies"], state["faults"]) == (0, {}, "slow=1:0")
    assert await api.ledger() == []
    assert await api.sim("/requests") == []


async def test_dropped_requests_keep_the_sequence(api: Api) -> None:
    """Dropped requests keep their sequence numbers, and the ledger stays complete."""
    api.simulator.add([line("a", "2026-01-01T00:00:00Z"), line("b", "2999-01-01T00:00:00Z")])
    await api.post("/investigate/move", {"destination": "JunkEmail", "ids": ["a"]})
    for _ in range(4):
        await api.get("/investigate")
    api.simulator.account.expire(timedelta(days=1), 2)
    await api.get("/investigate")
    assert [row["seq"] for row in await api.sim("/requests")] == [4, 5, 6]
    assert [row["seq"] for row in await api.sim("/requests?since=5")] == [6]
    assert set(api.simulator.account.mailboxes.by_id) == {"b"}
    assert [row["id"] for row in await api.ledger()] == ["a"]
