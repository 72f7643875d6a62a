"""Undo shares its requests across cases."""

import asyncio
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client

from clawback.actions import BlockSender, Move
from clawback.cases.undo_plan import UndoScope
from clawback.model.messages import Destination
from clawback.model.size import PAYLOAD_LIMIT, payload_size
from clawback.simulator import outbreak
from clawback.temporal.undo_gateway import CaseRun, UndoGateway, UndoRequest, UndoSummary
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import plan, rows, total

CASES = 12


async def test_blocks_of_many_cases_end_in_few_requests(temporal: Client, tmp_path: Path) -> None:
    """Each block is removed once; the list is read, and entries are deleted, for all together."""
    plans = [
        plan(
            group={"edf_hash": str(number)},
            level="critical",  # which alone may use all of a budget
            actions=(
                Move(destination=Destination.RECOVERABLE),
                BlockSender(pattern=f"s{number}@bad.test"),
            ),
        )
        for number in range(CASES)
    ]
    async with deployed(temporal, simulated([]), tmp_path) as deployment:
        for number, told in enumerate(plans):
            deployment.simulator.add(lines := list(outbreak(2, number)))
            await deployment.signal_case(told, *map(match_of, lines))
        await asyncio.gather(*(deployment.settled(told.case_id) for told in plans))

        before = deployment.requests()
        undo, scope = UndoGateway(temporal), UndoScope(actor=person("ana"))
        cases = await eventually(lambda: _found(undo, scope))
        summary = await total(undo, await undo.start(scope, cases))
        assert summary == UndoSummary(cases=CASES, done=3 * CASES)
        assert _times_removed(deployment) == [1] * CASES
        # Each case alone takes three. On a busy machine not all of them ask at one moment.
        assert deployment.requests() - before <= 2 * CASES


async def _found(undo: UndoGateway, scope: UndoScope) -> list[CaseRun] | None:
    found = (await undo.find(scope, rule="r")).candidates
    return [one.case for one in found] if len(found) == CASES else None


def _times_removed(deployment: Deployment) -> list[int]:
    removed = [row["id"] for row in rows(deployment, "delete")]
    return [removed.count(row["id"]) for row in rows(deployment, "create")]


async def test_an_undo_of_very_many_cases_is_bounded_in_bytes(temporal: Client) -> None:
    """Each of its workflows gets a page of the cases, whose size is bounded; together all."""
    cases = [
        CaseRun(case=f"case/{'r' * 60}/{number:016x}", run=str(uuid4()), first_run=str(uuid4()))
        for number in range(7_000)
    ]
    scope = UndoScope(actor=person("ana"), reason="x" * 10_000)
    ids = await UndoGateway(temporal).start(scope, cases)
    requests = [await _request_of(temporal, id_) for id_ in ids]
    assert [case for request in requests for case in request.cases] == cases
    assert max(map(payload_size, requests)) < PAYLOAD_LIMIT / 2


async def _request_of(temporal: Client, id_: str) -> UndoRequest:
    async for event in temporal.get_workflow_handle(id_).fetch_history_events():
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        (request,) = await temporal.data_converter.decode(payloads, [UndoRequest])
        return UndoRequest.model_validate(request)
    raise AssertionError(f"{id_} has no history")
