"""Starts pollers that are missing. A Temporal Schedule runs it every few minutes."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.pollers import PollerActivities
    from clawback.temporal import names
    from workflows.options import START_POLLERS


@workflow.defn(name=names.WATCHDOG, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class WatchdogWorkflow:
    """Starts the guard and every poller that is not running. Costs one short activity."""

    @workflow.run
    async def run(self) -> None:
        """Start what is missing."""
        await workflow.execute_activity_method(PollerActivities.start_pollers, **START_POLLERS)
