"""Marks a reclassification that clawback requested: the workflow's existence is the mark."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from clawback.temporal import names

MARK_LIFETIME = timedelta(days=30)
"""Longer than any poll reads submissions again.

After that, the mark is found for as long as the server keeps closed workflows.
"""


@workflow.defn(name=names.OWN_SUBMISSION, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OwnSubmissionWorkflow:
    """Marks one reclassification.

    Id: `own-submission/<hash of message and disposition>`. Only its existence and its start time
    are ever read.
    """

    @workflow.run
    async def run(self) -> None:
        """Wait until nobody needs the mark."""
        await workflow.sleep(MARK_LIFETIME, summary="so that our own submission is recognised")
