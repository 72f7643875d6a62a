"""A workflow in memory keeps nothing of the message that it was started by."""

from pathlib import Path

from temporalio.client import Client
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails

from clawback.simulator import outbreak
from clawback.temporal.activation_memory import LeanWorkflowRunner, detach_details
from tests.workflows.deployment import deployed, match_of
from tests.workflows.test_case import plan, simulated
from worker import WORKFLOW_RUNNER


class Recorder(LeanWorkflowRunner):
    """Notes what workflows are created with."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[WorkflowInstanceDetails] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Note the details."""
        self.created.append(det)
        return super().create_instance(det)


async def test_what_a_workflow_keeps_is_copied(temporal: Client, tmp_path: Path) -> None:
    """A part of a message keeps all of it alive; a copy is as good, and alone."""
    runner = Recorder()
    (line,) = outbreak(1)
    async with deployed(temporal, simulated([line]), tmp_path, runner=runner) as deployment:
        await deployment.signal_case(plan(), match_of(line))
        await deployment.settled(plan().case_id)

    (details,) = [one for one in runner.created if one.info.workflow_id == plan().case_id]
    detached = detach_details(details)
    assert detached.info.raw_memo == details.info.raw_memo
    assert detached.info.raw_memo["summary"] is not details.info.raw_memo["summary"]
    assert detached.last_completion_result is not details.last_completion_result


def test_the_worker_runs_workflows_so() -> None:
    """Nothing else would let go of the message."""
    assert isinstance(WORKFLOW_RUNNER, LeanWorkflowRunner)
