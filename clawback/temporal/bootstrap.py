"""What must exist on the server before the first workflow: search attributes and the watchdog.

Safe to repeat.
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

from clawback.temporal import names
from clawback.temporal.namespace_checks import require_search_attributes

WATCHDOG_SCHEDULE = "watchdog"
_WATCH_EVERY = timedelta(minutes=5)


async def prepare(client: Client) -> None:
    """Create the search attributes and the watchdog schedule; what exists is left as it is.

    Raises:
        NamespaceNotReady: search attributes are missing and may not be created, or are wrong.

    """
    await require_search_attributes(client)
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(WATCHDOG_SCHEDULE, _watchdog())


def _watchdog() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.WATCHDOG, id="watchdog", task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_WATCH_EVERY)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)
        ),
    )
