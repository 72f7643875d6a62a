"""What can be read of a lost guard, on a real server."""

from datetime import UTC, datetime
from typing import NoReturn

import pytest
from temporalio.client import Client

from clawback.guard import GuardSnapshot, Loss, LossReason
from clawback.temporal import guard_gateway, names
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.workflow_calls import QueryFailed


async def test_a_run_that_cannot_answer_is_read_from_its_start(
    temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker had taken it up, so what it started with is all there was."""

    async def cannot_answer(*_: object, **__: object) -> NoReturn:
        raise QueryFailed("guard cannot answer")

    guard = GuardGateway(temporal)
    await guard.start(GuardSnapshot(decisions=3))
    handle = temporal.get_workflow_handle(names.GUARD_ID)
    run = (await handle.describe()).run_id
    await handle.terminate()
    monkeypatch.setattr(guard_gateway, "query_workflow", cannot_answer)

    loss = Loss(reason=LossReason.CLOSED, at=datetime.now(UTC), run=run, is_complete=True)
    past = await guard.read_past(loss, may_replay=True)
    assert past.is_complete
    assert past.snapshot is not None
    assert past.snapshot.decisions == 3
