"""Starts the pollers that are missing.

A Schedule runs it every few minutes; it costs one short activity.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pollers import PollerActivities
    from clawback.temporal import names

_LIMIT = timedelta(seconds=30)


@workflow.defn(name=names.WATCHDOG)
class WatchdogWorkflow:
    """One look at the pollers; those that run are left alone."""

    @workflow.run
    async def run(self) -> None:
        """Start what is missing."""
        await workflow.execute_activity_method(
            PollerActivities.ensure,
            task_queue=names.READ_QUEUE,
            start_to_close_timeout=_LIMIT,
            schedule_to_close_timeout=_LIMIT * 4,
        )
