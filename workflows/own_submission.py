"""The mark of a reclassification that we asked for.

A workflow that stands for a while and does nothing.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from clawback.temporal import names

KEPT = timedelta(days=30)
"""How long a mark stands for sure: longer than any poll reads submissions again.

Then it is as good as long as the server keeps it.
"""


@workflow.defn(name=names.OWN_SUBMISSION)
class OwnSubmissionWorkflow:
    """One reclassification.

    Id: `own-submission/<hash of message and disposition>`. That it exists, and since when, is all
    it says.
    """

    @workflow.run
    async def run(self) -> None:
        """Stand there."""
        await workflow.sleep(KEPT, summary="so that our own submission is recognised")
