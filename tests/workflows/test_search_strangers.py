"""A search that returns more than was asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.actions import BulkMove
from clawback.cases import CaseState
from clawback.model.messages import Destination
from clawback.simulator import outbreak
from clawback.telemetry import metrics
from tests.altered_api import Call, alter, document
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import plan, simulated


async def test_strangers_are_left_out_and_counted(temporal: Client, tmp_path: Path) -> None:
    """People are shown only what fits the search."""
    now = datetime.now(UTC)
    start = now - timedelta(hours=1)
    mine = list(outbreak(3, 1, start=start, sender="bob@bad.test"))
    strangers = list(outbreak(2, 2, start=start, sender="jimbob@good.test"))

    async def handle(_: Call) -> dict[str, Any]:
        return document([line["message"] for line in (*mine, *strangers)], next=None)

    simulator = simulated([*mine, *strangers])
    alter(simulator, "/investigate", handle, "GET")
    action = BulkMove(destination=Destination.JUNK, sender="bob@bad.test")
    told = plan(actions=(action,))
    before = metrics.SEARCH_STRANGERS._value.get()
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.signal_case(told, match_of(mine[0]))
        await deployment.settled(told.case_id, CaseState.HELD)
        snapshot = (await deployment.cases.status(told.case_id)).snapshot
        assert snapshot is not None
        found = {target.sender for target in snapshot.all_targets.values()}
        assert found == {"bob@bad.test"}
        assert metrics.SEARCH_STRANGERS._value.get() == before + len(strangers)
