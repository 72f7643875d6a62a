"""The watchdog on a real server: its past runs are deleted, and nothing else is."""

from pathlib import Path

from temporalio.client import Client

from clawback.guard import Binding
from clawback.settings import SIMULATED_ACCOUNT
from clawback.temporal import names
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE, create_watchdog, delete_past_runs
from tests.waiting import eventually
from tests.workflows.deployment import deployed
from tests.workflows.test_case import simulated


async def test_past_runs_are_deleted(temporal: Client, tmp_path: Path) -> None:
    """Those that have completed; the server carries it out half a minute later."""
    async with deployed(temporal, simulated([]), tmp_path):
        await create_watchdog(temporal, Binding(account=SIMULATED_ACCOUNT, installation="i"))
        await temporal.get_schedule_handle(WATCHDOG_SCHEDULE).trigger()

        async def deleted() -> int | None:
            return await delete_past_runs(temporal) or None

        assert await eventually(deleted) == 1
        running = f"{names.OUR_WORKFLOWS} AND ExecutionStatus = 'Running'"
        assert (await temporal.count_workflows(running)).count > 0
