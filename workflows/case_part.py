"""A further part of a campaign that is too large for one case."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from clawback.cases import CaseStart
    from clawback.temporal import names
    from workflows.case import CaseWorkflow


@workflow.defn(name=names.CASE_PART)
class CasePartWorkflow(CaseWorkflow):
    """Responds to the messages that the case itself has no room for.

    Id: `<case>/<number>`. A type of its own, so that whatever lists or counts cases sees one per
    campaign.
    """

    @workflow.init
    def __init__(self, start: CaseStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: CaseStart) -> str:
        """Take the steps of the state machine until the part ends; return its last state."""
        return await super().run(start)
