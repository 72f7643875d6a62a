"""Bulk jobs: they advance with the clock, act once, and can be cancelled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator import openapi
from tests.simulator.conftest import Api, Serve, line
from tests.simulator.test_sdk import ACCOUNT, client_of, every

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
BULK = "/investigate/bulk"
MOVE = {
    "action": "MOVE",
    "destination": "JunkEmail",
    "search_params": {"sender": "mallory@evil.test"},
    "comment": "case 7",
}


@pytest.fixture
async def timed(serve: Serve) -> tuple[Api, Callable[[float], None]]:
    """A simulator with 250 messages, and a function that advances its clock; a step is a second."""
    clock = [START]
    api = await serve(clock=lambda: clock[0], job_step=1, rate=None)
    api.simulator.add(line(f"m{number}", "2026-11-20T10:00:00Z") for number in range(250))

    def after(seconds: float) -> None:
        clock[0] = START + timedelta(seconds=seconds)

    return api, after


async def make(api: Api, **changes: Any) -> str:
    """Make a job and give its id."""
    answer = await api.post(BULK, MOVE | changes)
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["result"]["job_id"]
    return identity


async def test_job_progresses_and_completes(timed: tuple[Api, Callable[[float], None]]) -> None:
    """A job is pending, discovers, processes 100 messages a step, and completes.

    Its counters always add up, and each move is one row.
    """
    api, after = timed
    identity = await make(api)
    seen = []
    for second in range(7):
        after(second)
        job = await api.result(f"{BULK}/{identity}")
        parts = ("pending", "successful", "failed", "skipped", "cancelled")
        assert job["total_messages_discovered"] == sum(job[f"messages_{part}"] for part in parts)
        seen.append((job["status"], job["messages_successful"], len(await api.ledger())))
    assert seen == [
        ("PENDING", 0, 0),
        ("DISCOVERING", 0, 0),
        ("PROCESSING", 0, 0),
        ("PROCESSING", 100, 100),
        ("PROCESSING", 200, 200),
        ("COMPLETED", 250, 250),
        ("COMPLETED", 250, 250),
    ]
    assert {row["request"] for row in await api.ledger()} == {1}


async def test_a_job_needs_no_polling(timed: tuple[Api, Callable[[float], None]]) -> None:
    """Nobody needs to poll a job: the ledger shows its effects when it is read."""
    api, after = timed
    await make(api)
    after(60)
    assert len(await api.ledger()) == 250


async def test_cancelled_job_stops(timed: tuple[Api, Callable[[float], None]]) -> None:
    """Cancelling keeps what was done and stops the rest; only a job that ended can be deleted."""
    api, after = timed
    identity = await make(api)
    after(3)
    assert (await api.send("DELETE", f"{BULK}/{identity}")).status_code == 400
    job = (await api.post(f"{BULK}/{identity}/cancel", None)).json()["result"]
    assert (job["status"], job["messages_successful"], job["messages_cancelled"]) == (
        "CANCELLED",
        100,
        150,
    )
    after(60)
    assert len(await api.ledger()) == 100
    assert (await api.post(f"{BULK}/{identity}/cancel", None)).status_code == 400
    assert (await api.send("DELETE", f"{BULK}/{identity}")).json()["result"] == {"id": identity}
    assert (await api.get(f"{BULK}/{identity}")).status_code == 404


async def test_release_job(timed: tuple[Api, Callable[[float], None]]) -> None:
    """A release job delivers quarantined messages and fails for the others."""
    api, after = timed
    api.simulator.add(
        [
            line("q", "2026-11-20T10:00:00Z", subject="Held", is_quarantined=True),
            line("p", subject="Held"),
        ]
    )
    identity = await make(api, action="RELEASE", search_params={"exact_subject": "held"})
    after(60)
    rows = await api.result(f"{BULK}/{identity}/messages")
    assert {row["postfix_id"]: row["status"] for row in rows} == {
        "pf-q": "COMPLETED",
        "pf-p": "FAILED",
    }
    assert [row["id"] for row in await api.ledger()] == ["q"]


async def test_submissions_are_skipped(timed: tuple[Api, Callable[[float], None]]) -> None:
    """A job over the submissions datastore skips its messages."""
    api, after = timed
    api.simulator.add([line("s", is_phish_submission=True)])
    identity = await make(api, search_params={"submissions": True})
    after(60)
    job = await api.result(f"{BULK}/{identity}")
    assert (job["messages_skipped"], job["messages_successful"]) == (1, 0)
    assert await api.ledger() == []


@pytest.mark.parametrize(
    "change",
    [
        {"action": "DELETE"},
        {"destination": None},
        {"search_params": None},
        {"search_params": {"final_disposition": "BAD"}},
    ],
)
async def test_invalid_jobs_are_refused(api: Api, change: dict[str, Any]) -> None:
    """An invalid job is a 400."""
    assert (await api.post(BULK, MOVE | change)).status_code == 400
    assert await api.result(BULK) == []


@pytest.mark.skipif(not openapi.DOCUMENT.exists(), reason="the OpenAPI document is not here")
async def test_answers_are_as_documented(timed: tuple[Api, Callable[[float], None]]) -> None:
    """Job, list, messages, cancel and delete conform to the OpenAPI document."""
    api, after = timed
    created = await api.post(BULK, MOVE)
    openapi.check("post", BULK, 201, created.json())
    identity = created.json()["result"]["job_id"]
    one = BULK + "/{job_id}"
    after(3)
    openapi.check(
        "get", BULK, 200, (await api.get(BULK, action_type="MOVE", status="PROCESSING")).json()
    )
    openapi.check("get", one, 200, (await api.get(f"{BULK}/{identity}")).json())
    messages = (
        await api.get(f"{BULK}/{identity}/messages", status="COMPLETED", per_page=1000)
    ).json()
    assert messages["result_info"]["count"] == 100
    openapi.check("get", one + "/messages", 200, messages)
    openapi.check(
        "post", one + "/cancel", 200, (await api.post(f"{BULK}/{identity}/cancel", None)).json()
    )
    openapi.check("delete", one, 200, (await api.send("DELETE", f"{BULK}/{identity}")).json())


async def test_life_cycle_through_the_sdk(serve: Serve) -> None:
    """The strict SDK reads create, list, get, messages, cancel and delete."""
    api = await serve(job_step=0)
    api.simulator.add(
        [line("a"), line("b", client_recipients=["ana@corp.example", "bo@corp.example"])]
    )
    async with client_of(api) as client:
        bulk = client.email_security.investigate.bulk
        created = await bulk.create(
            account_id=ACCOUNT,
            action="MOVE",
            destination="JunkEmail",
            search_params={"detections_only": True},
        )
        job = await bulk.get(created.job_id, account_id=ACCOUNT)
        assert (job.status, job.messages_successful) == ("COMPLETED", 3)
        assert [item.job_id for item in await every(bulk.list(account_id=ACCOUNT))] == [
            created.job_id
        ]
        rows = await every(bulk.messages.list(created.job_id, account_id=ACCOUNT, per_page=2))
        assert len({row.message_id for row in rows}) == 3
        await bulk.delete(created.job_id, account_id=ACCOUNT)
    assert sorted(row["id"] for row in await api.ledger()) == ["a", "b"]


async def test_cancel_through_the_sdk(timed: tuple[Api, Callable[[float], None]]) -> None:
    """The strict SDK reads a cancelled job."""
    api, _ = timed
    identity = await make(api)
    async with client_of(api) as client:
        cancelled = await client.email_security.investigate.bulk.cancel.create(
            identity, account_id=ACCOUNT
        )
    assert cancelled.status == "CANCELLED"
