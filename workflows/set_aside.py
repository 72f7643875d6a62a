"""Keeps matches that their case did not take, until it does."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.set_aside import SetAsideActivities
    from clawback.temporal import names
    from clawback.temporal.set_aside_gateway import MatchesSetAside
    from workflows.options import REDELIVER


@workflow.defn(name=names.SET_ASIDE, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class SetAsideWorkflow:
    """Retries one batch of matches of one case.

    Id: `set-aside/<case>/<hash of the matches>`. Cancel it to give the matches up.
    """

    @workflow.run
    async def run(self, request: MatchesSetAside) -> None:
        """Deliver the matches, however long that takes."""
        await workflow.execute_activity_method(SetAsideActivities.deliver, request, **REDELIVER)
