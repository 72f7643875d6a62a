"""The announcement workflow: tell the channels that listen for something of the installation."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationActivities
    from clawback.cases.announcements import Announcement, announce
    from clawback.temporal import names
    from workflows.notification import NotificationWorkflow
    from workflows.options import FIND_LISTENERS


@workflow.defn(name=names.ANNOUNCEMENT)
class AnnouncementWorkflow:
    """Starts a notification for each channel that listens. Id: `announcement/<id>`."""

    @workflow.run
    async def run(self, announcement: Announcement) -> int:
        """Find the channels and start their notifications; return how many there are."""
        channels: list[str] = await workflow.execute_activity_method(
            NotificationActivities.find_listeners, announcement.occasion, **FIND_LISTENERS
        )
        for step in announce(announcement, names.GUARD_ID, channels):
            with suppress(WorkflowAlreadyStartedError):
                await workflow.start_child_workflow(
                    NotificationWorkflow.run,
                    step,
                    id=names.notification_id(step.id),
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    static_summary=f"notify {step.recipient}: {announcement.occasion}",
                )
        return len(channels)
