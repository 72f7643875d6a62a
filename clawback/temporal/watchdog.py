"""The watchdog: the schedule that starts missing pollers again.

Its memo names the account of the namespace, should the guard be missing that names it otherwise.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from clawback.guard import Binding
from clawback.temporal import names

WATCHDOG_SCHEDULE = "watchdog"
_WATCH_EVERY = timedelta(minutes=5)


async def create_watchdog(client: Client, binding: Binding) -> None:
    """Create the schedule unless it exists."""
    # Never updated: an update would also resume a schedule that somebody has paused.
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            WATCHDOG_SCHEDULE, _watchdog(), memo={names.BINDING_MEMO: binding}
        )


def _watchdog() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.WATCHDOG, id="watchdog", task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_WATCH_EVERY)]),
        # Missed runs are worth nothing; 10 s is the shortest window that the server takes.
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)
        ),
    )
