"""Requests that take effect later than their response, and mail that is gone."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.containment import move_all
from clawback.actions import Reclassify
from clawback.batching import Batcher
from clawback.cases.undo_plan import UndoScope
from clawback.model.audit_record import RecordKind
from clawback.model.messages import Destination, Disposition
from clawback.services.configuration import connect_api
from clawback.settings import Settings
from clawback.simulator import MoveIdentity, outbreak
from clawback.temporal.undo_gateway import UndoSummary
from tests.altered_api import Call, Handler, alter, document
from tests.people import person
from tests.waiting import until
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import moved_ids, plan, simulated
from tests.workflows.test_releases import PLAN as RELEASE
from tests.workflows.test_releases import quarantined, released
from tests.workflows.test_reserved_moves import spent
from tests.workflows.test_undo import undo


class Late:
    """Answers at once without items, and carries requests out `seconds` later."""

    def __init__(self, seconds: float) -> None:
        self.calls: list[Call] = []
        self._seconds = seconds
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(self, call: Call) -> dict[str, Any]:
        self.calls.append(call)
        self._tasks.add(asyncio.create_task(self._perform(call)))
        return document([])

    async def _perform(self, call: Call) -> None:
        await asyncio.sleep(self._seconds)
        await call.perform()


def refusing(status: str) -> Handler:
    """Answer that each message is refused so."""

    async def handle(call: Call) -> dict[str, Any]:
        return document(
            [{"success": False, "message_id": id_, "status": status} for id_ in call.ids]
        )

    return handle


@pytest.mark.parametrize("count", [1, 5])
async def test_a_move_that_takes_a_while_is_awaited(
    temporal: Client, tmp_path: Path, count: int
) -> None:
    """It is looked up, not asked for again: one request, one outcome a message."""
    lines = list(outbreak(count))
    simulator = simulated(lines)
    alter(simulator, "/investigate/move", late := Late(0.4))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        assert set((await deployment.settled(plan().case_id)).values()) == {"moved"}
        assert (len(moved_ids(deployment)), len(late.calls)) == (count, 1)


async def test_another_case_goes_on_meanwhile(temporal: Client, tmp_path: Path) -> None:
    """Waiting for the effect holds no slot."""
    slow, quick = list(outbreak(1)), list(outbreak(1, seed=2))
    simulator = simulated([*slow, *quick])
    late, slow_id = Late(3600), slow[0]["message"]["id"]

    async def handle(call: Call) -> dict[str, Any]:
        return await (late(call) if slow_id in call.ids else call.perform())

    alter(simulator, "/investigate/move", handle)
    other = plan(group={"edf_hash": "y"})
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, slow))
        await until(lambda: bool(late.calls))
        await deployment.signal_case(other, *map(match_of, quick))
        assert set((await deployment.settled(other.case_id)).values()) == {"moved"}


async def test_a_release_that_takes_a_while_is_not_repeated(
    temporal: Client, tmp_path: Path
) -> None:
    """Nobody gets the message twice."""
    lines = quarantined(2)
    simulator = simulated(lines)
    alter(simulator, "/investigate/release", late := Late(0.4))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(RELEASE, *map(match_of, lines))
        assert set((await deployment.settled(RELEASE.case_id)).values()) == {"released"}
        assert (len(released(deployment)), len(late.calls)) == (2, 1)


async def test_a_submission_that_appears_later_is_not_repeated(
    temporal: Client, tmp_path: Path
) -> None:
    """The response is lost, and the submission is made some seconds after."""
    lines = list(outbreak(1))
    simulator = simulated(lines)
    late = Late(0.4)

    async def lose(call: Call) -> dict[str, Any]:
        await late(call)
        raise ConnectionError("lost")

    alter(simulator, "/reclassify", lose)
    told = plan(actions=(Reclassify(disposition=Disposition.MALICIOUS),))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(told, *map(match_of, lines))
        assert set((await deployment.settled(told.case_id)).values()) == {"reclassified"}
        assert len(late.calls) == 1


async def test_mail_that_is_gone_is_no_failure(temporal: Client, tmp_path: Path) -> None:
    """It costs no budget, and undo leaves it alone."""
    lines = list(outbreak(2))
    simulator = simulated(lines)
    alter(simulator, "/investigate/move", refusing("Message not found in mailbox"))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        assert set((await deployment.settled(plan().case_id)).values()) == {"gone"}
        assert await spent("messages", temporal) == 0
        snapshot = (await deployment.cases.status(plan().case_id)).snapshot
        assert snapshot is not None
        assert snapshot.applied == ()


async def test_mail_that_has_gone_since_is_shown_by_undo(temporal: Client, tmp_path: Path) -> None:
    """It is neither undone nor a failure."""
    lines = list(outbreak(2))
    simulator = simulated(lines)
    refuse = refusing("Mailbox not found")

    async def handle(call: Call) -> dict[str, Any]:
        return await (refuse(call) if b"Inbox" in call.body else call.perform())

    alter(simulator, "/investigate/move", handle)
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        summary = await undo(deployment, UndoScope(actor=person("ana")))
        assert summary == UndoSummary(cases=1, gone=2)
        records = [one for one in deployment.audit() if one.kind is RecordKind.UNDONE]
        assert [one.outcome for one in records] == ["gone", "gone"]


async def test_undo_returns_what_a_response_leaves_open(temporal: Client, tmp_path: Path) -> None:
    """A response without items is followed by another request, some time later."""
    lines = list(outbreak(2))
    simulator = simulated(lines)
    calls: list[Call] = []

    async def handle(call: Call) -> dict[str, Any]:
        is_return = b"Inbox" in call.body
        calls.extend([call] if is_return else [])
        return document([]) if is_return and len(calls) == 1 else await call.perform()

    alter(simulator, "/investigate/move", handle)
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(plan(), *map(match_of, lines))
        await deployment.settled(plan().case_id)
        summary = await undo(deployment, UndoScope(actor=person("ana")))
        assert (summary, len(calls)) == (UndoSummary(cases=1, done=2), 2)


async def test_one_item_for_two_cases_settles_neither(tmp_path: Path) -> None:
    """Two mails share a Message-ID, in two cases whose moves share a request.

    Only one is moved, and the one item of the answer names it by that id.
    """
    lines = list(outbreak(2))
    for line in lines:
        line["message"] |= {"message_id": "<one@mail.test>", "client_recipients": ["u@corp.test"]}
    simulator = simulated(lines, move_identity=MoveIdentity.HEADER)
    one, two = (match_of(line).targets for line in lines)

    async def handle(call: Call) -> dict[str, Any]:
        body = call.body.replace(two[0].id.encode(), one[0].id.encode())
        return await Call(call.app, call.scope, body).perform()

    alter(simulator, "/investigate/move", handle)
    async with simulator.serve() as url:
        settings = Settings(api_url=url, state=tmp_path)
        async with connect_api(settings) as api:
            moves = Batcher(partial(move_all, api, Destination.JUNK), 1000)
            assert [*await asyncio.gather(moves.ask(one), moves.ask(two))] == [{}, {}]
