"""The watchdog on a real server: it leaves nothing behind, however long an installation idles."""

from functools import partial
from pathlib import Path

from temporalio.client import Client

from clawback.guard import Binding
from clawback.settings import SIMULATED_ACCOUNT
from clawback.temporal import names
from clawback.temporal.watchdog import WATCHDOG_SCHEDULE, create_watchdog
from tests.waiting import eventually
from tests.workflows.deployment import deployed
from tests.workflows.test_case import simulated

RUNS = 3


async def test_past_runs_are_deleted(temporal: Client, tmp_path: Path) -> None:
    """Each run deletes those before it; the server takes some seconds to carry that out."""
    async with deployed(temporal, simulated([]), tmp_path):
        await create_watchdog(temporal, Binding(account=SIMULATED_ACCOUNT, installation="i"))
        schedule = temporal.get_schedule_handle(WATCHDOG_SCHEDULE)

        async def ran(times: int) -> bool | None:
            info = (await schedule.describe()).info
            return (info.num_actions >= times and not info.running_actions) or None

        async def kept() -> bool | None:
            found = await temporal.count_workflows(f"WorkflowType = '{names.WATCHDOG}'")
            return found.count < RUNS or None

        for number in range(1, RUNS + 1):
            await schedule.trigger()
            await eventually(partial(ran, number))
        await eventually(kept)
