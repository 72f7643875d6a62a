"""A reclassification runs beside its case: no move waits for it, and undo ends it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

import worker as process
from clawback.actions import Move, Reclassify
from clawback.cases import CaseState
from clawback.model.messages import Destination, Disposition
from clawback.simulator import outbreak
from clawback.temporal import names
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed, match_of
from tests.workflows.test_case import moved_ids, simulated
from tests.workflows.test_case import plan as enforcing
from tests.workflows.test_undo import rows, undo

PLAN = enforcing(
    actions=(Move(destination=Destination.JUNK), Reclassify(disposition=Disposition.MALICIOUS))
)
RECLASSIFY = "email_security.reclassify_message"


@asynccontextmanager
async def without_reclassifying(
    temporal: Client, lines: list[dict[str, Any]], state: Path
) -> AsyncIterator[tuple[Deployment, Any]]:
    """Run an installation in which no reclassification leaves; give the worker that sends them."""
    original, kept = process.build_workers, []

    def build_others(*one: Any, **two: Any) -> Any:
        workers = {worker.task_queue: worker for worker in original(*one, **two)}
        kept.append(workers.pop(names.RECLASSIFY_QUEUE))
        return list(workers.values())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.workflows.deployment.build_workers", build_others)
        async with deployed(temporal, simulated(lines), state) as deployment:
            yield deployment, kept[0]


async def has_moved(deployment: Deployment, count: int) -> bool | None:
    """Whether so many messages were moved."""
    return len(moved_ids(deployment)) == count or None


async def test_a_reclassification_that_waits_holds_no_move(
    temporal: Client, tmp_path: Path
) -> None:
    """A message that joins meanwhile is moved at once; the case settles when both are done."""
    lines = list(outbreak(3))
    async with without_reclassifying(temporal, lines, tmp_path) as (deployment, reclassifying):
        await deployment.signal_case(PLAN, match_of(lines[0]))
        await deployment.scheduled(PLAN, RECLASSIFY)
        await deployment.signal_case(PLAN, *map(match_of, lines[1:]))
        await eventually(lambda: has_moved(deployment, 3))
        snapshot = (await deployment.cases.status(PLAN.case_id)).snapshot
        assert snapshot is not None
        assert snapshot.state is CaseState.RESPONDING
        assert [step.action.name for step in snapshot.in_progress] == ["reclassify"]
        assert rows(deployment, "reclassify") == []

        async with reclassifying:
            await deployment.settled(PLAN.case_id)
        assert len(rows(deployment, "reclassify")) == 1


async def test_undo_ends_a_reclassification_that_waits(temporal: Client, tmp_path: Path) -> None:
    """It is never sent; the message is back in the inbox."""
    lines = list(outbreak(1))
    async with without_reclassifying(temporal, lines, tmp_path) as (deployment, reclassifying):
        await deployment.signal_case(PLAN, match_of(lines[0]))
        await deployment.scheduled(PLAN, RECLASSIFY)
        await undo(deployment)
        handle = temporal.get_workflow_handle(PLAN.case_id)
        assert await handle.result() == CaseState.UNDONE
        async with reclassifying:
            assert [row["destination"] for row in rows(deployment, "move")] == [
                Destination.JUNK,
                Destination.INBOX,
            ]
            assert rows(deployment, "reclassify") == []
