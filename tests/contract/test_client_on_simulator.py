"""Client and simulator, written independently, agree in every shape, and with the document."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from clawback.cloudflare import (
    ApiError,
    Batch,
    EmailSecurity,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
    UnknownOutcome,
    pages,
)
from clawback.simulator import (
    BodyForm,
    MoveIdentity,
    Rate,
    Shape,
    Simulator,
    SimulatorOptions,
    TokenScope,
    parse_faults,
)
from tests.contract.checked_client import ACCOUNT, TOKEN, last_hour, mail, on_simulator
from tests.contract.openapi import needs_document

pytestmark = needs_document
SHAPES = pytest.mark.parametrize("shape", list(Shape))


@SHAPES
async def test_messages_are_found_read_and_moved(shape: Shape) -> None:
    """From search and detections to the move and its action log."""
    async with on_simulator(shape=shape) as (api, simulator, checker):
        simulator.add([mail(number) for number in range(7)])
        found = [
            item
            async for page in pages(api.messages, **last_hour(), per_page=3)
            for item in page.items
        ]
        assert sorted(item.subject or "" for item in found) == [
            f"WireModel {number}" for number in range(7)
        ]
        assert all(
            item.scanned_at and item.record["scanned_at"] and "ts" not in item.record
            for item in found
        )
        assert (await api.detections(found[0].id))["links"][0]["href"] == "https://evil.test/"
        moved = await api.move([item.id for item in found[:5]], "RecoverableItemsDeletions")
        assert [item.success for item in moved] == [True] * 5
        entry = (await api.action_log(found[0].id))[-1]
        assert (entry.operation, entry.properties["folder"]) == (
            "MOVE",
            "RecoverableItemsDeletions",
        )
        assert "MOVE" in (await api.message(found[0].id)).post_delivery_operations
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == ["move"] * 5
    assert shape is not Shape.NEW or checker.problems == []


@pytest.mark.parametrize("identity", list(MoveIdentity))
async def test_a_move_of_an_unknown_message_is_told_apart(identity: MoveIdentity) -> None:
    """Whatever `message_id` means, one item succeeded and one did not."""
    async with on_simulator(move_identity=identity) as (api, simulator, checker):
        simulator.add([mail(1)])
        moved = await api.move(["POST1-2026-11-22T10:00:00-1", "nobody"], "JunkEmail")
        assert sorted(bool(item.success) for item in moved) == [False, True]
        with pytest.raises(NotFound):
            await api.message("nobody")
    assert checker.problems == []


@SHAPES
async def test_a_reclassification_becomes_a_submission(shape: Shape) -> None:
    """The response has no id; the submission is in the list."""
    async with on_simulator(shape=shape) as (api, simulator, checker):
        simulator.add([mail(1)])
        await api.reclassify("POST1-2026-11-22T10:00:00-1", "SPAM")
        page = await api.submissions(
            start=last_hour()["start"], end=last_hour()["end"] + timedelta(minutes=1)
        )
        assert [(item.original_postfix_id, item.requested_disposition) for item in page.items] == [
            ("POST1", "SPAM")
        ]
        assert page.items[0].requested_at is not None
    assert shape is not Shape.NEW or checker.problems == []


@SHAPES
async def test_life_cycle_of_a_block(shape: Shape) -> None:
    """Create, find by its exact pattern, read, delete; then it is gone."""
    async with on_simulator(shape=shape) as (api, simulator, checker):
        made = await api.create_block_sender(
            pattern="ceo@evil.test", pattern_type="EMAIL", comments="clawback/1"
        )
        await api.create_block_sender(pattern="evil.test", pattern_type="DOMAIN", comments="")
        found = await api.block_senders(pattern="ceo@evil.test", pattern_type="EMAIL")
        assert [(item.id, item.comments) for item in found.items] == [(made.id, "clawback/1")]
        assert (await api.block_sender(made.id)).modified_at is not None
        await api.delete_block_sender(made.id)
        with pytest.raises(NotFound):
            await api.delete_block_sender(made.id)
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == [
            "create",
            "create",
            "delete",
        ]
    assert shape is not Shape.NEW or checker.problems == []


@pytest.mark.parametrize("body", list(BodyForm))
async def test_a_release_works_with_either_request_body(body: BodyForm) -> None:
    """A quarantined message is delivered once, whichever body the server accepts."""
    async with on_simulator(release_body=body) as (api, simulator, checker):
        simulator.add([mail(1, is_quarantined=True), mail(2)])
        released = await api.release(["POST1-2026-11-22T10:00:00-1", "POST2-2026-11-22T10:00:00-2"])
        assert {item.id.partition("-")[0]: item.is_complete for item in released} == {
            "POST1": True,
            "POST2": False,
        }
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == ["release"]
    assert checker.problems == []


async def test_many_blocks_are_changed_in_one_request() -> None:
    """A batch creates, changes and deletes; the ledger has each effect once."""
    async with on_simulator() as (api, simulator, checker):
        blocks = api.settings.block_senders
        new = [
            {"pattern": f"{name}@evil.test", "pattern_type": "EMAIL", "is_regex": False}
            for name in "abc"
        ]
        first, second, third = (await blocks.batch(Batch(posts=new))).posts
        done = await blocks.batch(
            Batch(deletes=[first.id], patches={second.id: {"comments": "clawback/1"}})
        )
        assert (done.deletes, [item.comments for item in done.patches]) == (
            (first.id,),
            ["clawback/1"],
        )
        assert {
            item.id async for page in pages(blocks.list, per_page=1) for item in page.items
        } == {second.id, third.id}
        assert [row["operation"] for row in simulator.account.ledger.since(0)] == ["create"] * 3 + [
            "delete",
            "edit",
        ]
    assert [text for text in checker.problems if "'id'" not in text] == []


@pytest.mark.parametrize("page_reports", [True, False])
async def test_reports_are_read_once_even_where_pages_are_ignored(page_reports: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Nine reports at three a page, with and without paging by the server."""
    async with on_simulator(page_reports=page_reports) as (api, simulator, _):
        rows = [
            {
                "id": n,
                "title": "t",
                "content": "c",
                "created_at": last_hour()["end"].isoformat(),
                "fields": {},
            }
            for n in range(9)
        ]
        await inject(simulator, "reports", rows)
        window: dict[str, Any] = {**last_hour(), "end": last_hour()["end"] + timedelta(minutes=1)}
        found = [
            item.id
            async for page in pages(api.phishguard_reports, **window, per_page=3)
            for item in page.items
        ]
        assert sorted(found) == [str(n) for n in range(9)]


async def inject(simulator: Simulator, kind: str, rows: list[dict[str, Any]]) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=simulator.app), base_url="http://simulator.test"
    ) as http:
        answer = await http.post(f"/_sim/{kind}", json=rows)
        assert answer.status_code == 200, answer.text


async def test_a_read_only_token_may_not_write() -> None:
    """Reading works, writing is not permitted, and another token is unknown."""
    async with on_simulator(tokens={TOKEN: TokenScope.READ}) as (api, simulator, checker):
        simulator.add([mail(1)])
        assert len((await api.messages(**last_hour())).items) == 1
        with pytest.raises(PermissionDenied):
            await api.move(["POST1-2026-11-22T10:00:00-1"], "JunkEmail")
    assert checker.problems == []


async def test_polling_stops_before_the_limit_and_never_sees_a_429() -> None:
    """The client stops at the simulator's count, with a reserve for people."""
    async with on_simulator(rate=Rate(100, 300)) as (api, _, checker):
        with pytest.raises(RateLimited) as caught:
            await asyncio.gather(*(api.messages(**last_hour()) for _ in range(200)))
        assert caught.value.is_local
        await api.move(["nobody"], "JunkEmail")
    assert len(checker.seen) <= 61
    assert {status for _, status in checker.seen} == {200}


FAULTS = [
    ("500=1", Unavailable, UnknownOutcome, 0),
    ("reset=1", Unavailable, UnknownOutcome, 0),
    ("timeout=1:5", Unavailable, UnknownOutcome, 0),
    ("lost_answer=1", Unavailable, UnknownOutcome, 1),
    ("429=1:60", RateLimited, RateLimited, 0),
]


@pytest.fixture
async def served() -> AsyncIterator[tuple[EmailSecurity, Simulator]]:
    """A simulator with one message on a real port, and a client with short timeouts."""
    simulator = Simulator(SimulatorOptions())
    simulator.add([mail(1)])
    async with (
        simulator.serve() as url,
        EmailSecurity(
            url=url, account_id=ACCOUNT, token=TOKEN, timeout=timedelta(milliseconds=300)
        ) as api,
    ):
        yield api, simulator


@pytest.mark.parametrize(("spec", "read", "write", "effects"), FAULTS)
async def test_each_fault_raises_its_error(
    served: tuple[EmailSecurity, Simulator],
    spec: str,
    read: type[ApiError],
    write: type[ApiError],
    effects: int,
) -> None:
    """A lost answer took effect exactly once, and the client does not retry."""
    api, simulator = served
    simulator.account.faults.rates = parse_faults(spec)
    with pytest.raises(write):
        await api.move(["POST1-2026-11-22T10:00:00-1"], "JunkEmail")
    with pytest.raises(read):
        await api.messages(**last_hour())
    assert len(simulator.account.ledger.since(0)) == effects


async def test_a_malformed_answer_to_a_move_that_worked_is_unknown(
    served: tuple[EmailSecurity, Simulator],
) -> None:
    """The move took effect, and the action log shows it."""
    api, simulator = served
    simulator.account.faults.rates = parse_faults("malformed=1")
    with pytest.raises(UnknownOutcome):
        await api.move(["POST1-2026-11-22T10:00:00-1"], "JunkEmail")
    simulator.account.faults.rates = parse_faults("")
    assert [entry.operation for entry in await api.action_log("POST1-2026-11-22T10:00:00-1")] == [
        "MOVE"
    ]


async def test_a_pending_search_is_awaited(
    served: tuple[EmailSecurity, Simulator],
) -> None:
    """The client follows 202 and `Location` to the page."""
    api, simulator = served
    simulator.account.faults.rates = parse_faults("search_202=1:0.6")
    assert [item.subject for item in (await api.messages(**last_hour())).items] == ["WireModel 1"]
