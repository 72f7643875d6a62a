"""The announcement workflow: tell the channels that listen for something of the installation."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.notifications import NotificationActivities
    from clawback.cases.announcements import Announcement, announce
    from clawback.temporal import names
    from workflows.options import FIND_LISTENERS
    from workflows.steps.notifying import start_notifications


@workflow.defn(name=names.ANNOUNCEMENT, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class AnnouncementWorkflow:
    """Starts a notification for each channel that listens. Id: `announcement/<id>`."""

    @workflow.run
    async def run(self, announcement: Announcement) -> int:
        """Find the channels and start their notifications; return how many there are."""
        channels: list[str] = await workflow.execute_activity_method(
            NotificationActivities.find_listeners, announcement.occasion, **FIND_LISTENERS
        )
        await start_notifications(announce(announcement, names.GUARD_ID, channels))
        return len(channels)
