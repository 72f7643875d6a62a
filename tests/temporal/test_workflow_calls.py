"""Updates that no worker takes, on a real server: the SDK would ask for ever."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowHandle

from clawback.cli.temporal_access import call_temporal
from clawback.temporal.workflow_calls import NoWorkerAnswered, send_update


@pytest.fixture
async def forsaken(temporal: Client) -> WorkflowHandle[object, object]:
    """A workflow that no worker will ever run."""
    return await temporal.start_workflow("forsaken", id="forsaken", task_queue="nobodys")


async def test_people_are_told_that_no_worker_answers(
    forsaken: WorkflowHandle[object, object],
) -> None:
    """After the time they are ready to wait, and not as a refusal: it may still be done."""
    with pytest.raises(NoWorkerAnswered, match="no worker answers"):
        await send_update(forsaken, "lift", [], str, timedelta(milliseconds=200))


async def test_whoever_waits_for_a_worker_can_interrupt(
    forsaken: WorkflowHandle[object, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK makes an error of its own of an interruption.

    A command still ends as one that was interrupted.
    """

    async def interrupted(client: Client) -> str:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.2, task.cancel)
        handle = client.get_workflow_handle(forsaken.id)
        return await send_update(handle, "lift", [], str)

    monkeypatch.setenv("TEMPORAL_ADDRESS", forsaken._client.service_client.config.target_host)
    with pytest.raises(KeyboardInterrupt):
        await asyncio.to_thread(call_temporal, interrupted)
