"""Undo shares its requests across cases."""

import asyncio
from pathlib import Path

from temporalio.client import Client

from clawback.actions import BlockSender, Move
from clawback.cases.undo_plan import UndoScope
from clawback.model.messages import Destination
from clawback.simulator import outbreak
from clawback.temporal.undo_gateway import CaseRun, UndoGateway, UndoSummary
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import simulated
from tests.workflows.test_undo import plan, rows

CASES = 12


async def test_blocks_of_many_cases_end_in_few_requests(temporal: Client, tmp_path: Path) -> None:
    """Each block is removed once; the list is read, and entries are deleted, for all together."""
    plans = [
        plan(
            group={"edf_hash": str(number)},
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
        undo, scope = UndoGateway(temporal), UndoScope(by="ana")
        cases = await eventually(lambda: _found(undo, scope))
        summary = await undo.result(await undo.start(scope, cases))
        assert summary == UndoSummary(cases=CASES, done=3 * CASES)
        assert _times_removed(deployment) == [1] * CASES
        assert deployment.requests() - before <= CASES


async def _found(undo: UndoGateway, scope: UndoScope) -> list[CaseRun] | None:
    found = (await undo.find(scope, rule="r")).candidates
    return [one.case for one in found] if len(found) == CASES else None


def _times_removed(deployment: Deployment) -> list[int]:
    removed = [row["id"] for row in rows(deployment, "delete")]
    return [removed.count(row["id"]) for row in rows(deployment, "create")]
