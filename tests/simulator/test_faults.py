"""Faults: their specification, their rates, and what each does to a request."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from clawback.simulator import FAULT_TYPES, Simulator, SimulatorOptions, parse_faults
from clawback.simulator.dropped_connections import ConnectionDropped
from clawback.simulator.faults import FaultSampler
from clawback.simulator.faults.lost_answer import LostAnswer
from clawback.simulator.faults.rate_limited import RateLimited
from tests.simulator.conftest import Api, Serve, line

MOVE = {"destination": "JunkEmail", "ids": ["a"]}
SINCE = "2026-01-01T00:00:00Z"


async def faulty(serve: Serve, spec: str, **options: Any) -> Api:
    """Serve one message with these faults."""
    api: Api = await serve(**options)
    api.simulator.add([line("a")])
    api.simulator.account.faults.rates = parse_faults(spec)
    return api


def test_specification_round_trips() -> None:
    """A specification is formatted as it was written, seconds included."""
    spec = (
        "429=0.05,500=0.05,timeout=0.02:3,reset=0.02,lost_answer=0.05,malformed=0.01,slow=0.1:2,"
        "search_202=0.2,late_index=0.3:4"
    )
    assert str(parse_faults(spec)) == spec


def test_an_empty_specification_means_no_faults() -> None:
    """Blanks count as empty."""
    assert parse_faults(" ") == parse_faults("")


def test_seconds_have_a_default() -> None:
    """Each fault has its own."""
    assert parse_faults("timeout=1").of("timeout").seconds == 25


@pytest.mark.parametrize("name", FAULT_TYPES)
def test_every_fault_is_documented(name: str) -> None:
    """So is its parameter, if it has one."""
    fault = FAULT_TYPES[name]
    assert fault.description
    assert bool(fault.seconds) is (fault.seconds_meaning is not None)


@pytest.mark.parametrize(
    "spec",
    [
        "429",
        "429=x",
        "429=1.1",
        "429=-0.1",
        "teapot=0.1",
        "429=0.6,500=0.6",
        "slow=0.1:x",
        "slow=0.1:-1",
        "slow=nan",
    ],
)
def test_invalid_specifications_are_refused(spec: str) -> None:
    """Unknown names, rates out of range, and sums above 1."""
    with pytest.raises(ValueError, match=r"fault|rate|range"):
        parse_faults(spec)


def test_rates_are_kept_and_reproducible() -> None:
    """Faults happen about as often as specified, and identically for the same seed."""
    faults = parse_faults("429=0.1,lost_answer=0.2")
    first, second = (
        [sampler.choose() for _ in range(5000)]
        for sampler in (FaultSampler(7, faults), FaultSampler(7, faults))
    )
    assert first == second
    assert 0.08 < first.count((RateLimited,)) / 5000 < 0.12
    assert 0.18 < first.count((LostAnswer,)) / 5000 < 0.22


async def test_429_is_short_and_not_executed(serve: Serve) -> None:
    """A single 429 names a short delay and changes nothing."""
    api = await faulty(serve, "429=1:2")
    answer = await api.post("/investigate/move", MOVE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json()["success"] is False
    assert await api.ledger() == []


async def test_server_errors_come_in_every_form(serve: Serve) -> None:
    """Server errors come enveloped, as problem JSON, as HTML and empty; none is executed."""
    api = await faulty(serve, "500=1")
    answers = [await api.post("/investigate/move", MOVE) for _ in range(60)]
    kinds = {
        (answer.status_code, answer.headers.get("content-type", "").partition(";")[0])
        for answer in answers
    }
    assert kinds == {
        (500, "application/json"),
        (500, "application/problem+json"),
        (520, "application/problem+json"),
        (502, "text/html"),
        (503, ""),
    }
    assert await api.ledger() == []


async def test_timeout_holds_and_does_not_execute(serve: Serve) -> None:
    """The request is held longer than the client waits, and never executed."""
    api = await faulty(serve, "timeout=1:30")
    with pytest.raises(httpx.ReadTimeout):
        await api.client.post(
            f"{api.url}/accounts/acc/email-security/investigate/move", json=MOVE, timeout=0.2
        )
    assert await api.ledger() == []
    row = (await api.sim("/requests"))[0]
    assert (row["status"], row["fault"]) == (None, "timeout")


async def test_timeout_ends_by_itself(serve: Serve) -> None:
    """A client that waits longer sees the connection close."""
    api = await faulty(serve, "timeout=1:0.1")
    with pytest.raises(httpx.RemoteProtocolError):
        await api.post("/investigate/move", MOVE)


async def test_stopping_does_not_wait_for_held_requests() -> None:
    """A simulator with a held request stops long before that request would end."""
    simulator = Simulator(SimulatorOptions(faults=parse_faults("timeout=1:60")))
    async with (
        asyncio.timeout(30),
        httpx.AsyncClient(headers={"authorization": "Bearer x"}) as client,
        simulator.serve() as url,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{url}/accounts/a/email-security/investigate", timeout=0.1)


@pytest.mark.parametrize(("fault", "executed"), [("reset", False), ("lost_answer", True)])
async def test_dropped_connections(serve: Serve, fault: str, executed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A reset precedes the effect, a lost answer follows it; the client cannot tell them apart."""
    api = await faulty(serve, f"{fault}=1")
    endings = set()
    for number in range(24):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)) as ending:
            await api.post(
                "/investigate/move",
                {"destination": ("JunkEmail", "Inbox")[number % 2], "ids": ["a"]},
            )
        endings.add(ending.type)
    assert endings == {httpx.ReadError, httpx.RemoteProtocolError}
    assert len(await api.ledger()) == (24 if executed else 0)
    assert {(row["status"], row["fault"]) for row in await api.sim("/requests")} == {(None, fault)}


async def test_dropped_connection_in_process() -> None:
    """The client of an in-process transport sees an exception; the effect is the same."""
    simulator = Simulator(SimulatorOptions(faults=parse_faults("lost_answer=1")))
    simulator.add([line("a")])
    transport = httpx.ASGITransport(app=simulator.app)
    async with httpx.AsyncClient(
        transport=transport, headers={"authorization": "Bearer x"}
    ) as client:
        with pytest.raises(ConnectionDropped):
            await client.post(
                "http://sim/client/v4/accounts/a/email-security/investigate/move", json=MOVE
            )
    assert [row["id"] for row in simulator.account.ledger.rows] == ["a"]


async def test_malformed_answers_are_200_and_unreadable(serve: Serve) -> None:
    """A malformed response is a 200 with truncated JSON or HTML, after the effect."""
    api = await faulty(serve, "malformed=1")
    answers = [await api.post("/investigate/move", MOVE) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {
        "application/json",
        "text/html",
    }
    for answer in answers:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|Extra|Invalid"):
            answer.json()
    assert len(await api.ledger()) == 1


async def test_slow_answers_are_late_and_right(serve: Serve) -> None:
    """A slow request takes longer and is executed."""
    api = await faulty(serve, "slow=1:0.1")
    started = time.monotonic()
    assert (await api.post("/investigate/move", MOVE)).status_code == 200
    assert time.monotonic() - started >= 0.1
    assert (await api.sim("/requests"))[0]["fault"] == "slow"


async def test_search_202_can_be_polled(serve: Serve) -> None:
    """The Location, absolute or relative, gives the page once it is ready."""
    api = await faulty(serve, "search_202=1:0.15")
    forms = set()
    for _ in range(8):
        pending = await api.get("/investigate", start=SINCE)
        assert (pending.status_code, pending.json()["result"]) == (202, [])
        forms.add(pending.headers["location"].startswith("http"))
    assert forms == {True, False}

    url, deadline = httpx.URL(api.url).join(pending.headers["location"]), time.monotonic() + 5
    statuses: list[int] = []
    while not statuses or statuses[-1] == 202:
        assert time.monotonic() < deadline
        answer = await api.client.get(url)
        statuses.append(answer.status_code)
    assert statuses[0] == 202
    assert [record["id"] for record in answer.json()["result"]] == ["a"]


async def test_other_requests_never_answer_202(serve: Serve) -> None:
    """The fault applies to searches only; other requests are executed."""
    api = await faulty(serve, "search_202=1")
    assert (await api.get("/investigate/a")).status_code == 200


async def test_late_index_hides_some_messages_for_a_while(serve: Serve) -> None:
    """Some messages appear late in lists; by id they are there at once."""
    api = await serve(faults=parse_faults("late_index=0.3:0.5"))
    api.simulator.add(line(f"m{number}") for number in range(200))

    async def visible() -> int:
        return len(await api.result("/investigate", start=SINCE, per_page=1000))

    assert 110 < await visible() < 170
    assert (await api.get("/investigate/m7")).status_code == 200
    deadline = time.monotonic() + 5
    while await visible() < 200:
        assert time.monotonic() < deadline


async def test_controls_never_fail(serve: Serve) -> None:
    """The control endpoints have no faults and no limit, and are not in the request log."""
    api = await faulty(serve, "reset=1", rate=None)
    for _ in range(20):
        assert (await api.sim("/state"))["messages"] == 1
    assert await api.sim("/requests") == []
