"""Marks a reclassification that clawback requested: the workflow's existence is the mark."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from clawback.temporal import names


@workflow.defn(name=names.OWN_SUBMISSION, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OwnSubmissionWorkflow:
    """Marks one reclassification.

    Id: `own-submission/<hash of message and disposition>`. Only its existence and the time of its
    start are ever read. It is started with a delay, for as long as the mark must be found.
    """

    @workflow.run
    async def run(self) -> None:
        """End: nobody needs the mark any more."""
