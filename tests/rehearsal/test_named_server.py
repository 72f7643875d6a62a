"""`clawback rehearse --temporal`: the same judged run on a server that people name."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.api.workflowservice.v1 import ListNamespacesRequest
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.temporal import names
from tests.cli.command import clawback
from tests.rehearsal.test_rehearse import RULES
from tests.rehearsal.tls_front import standing_before
from tests.waiting import eventually

WITHIN = timedelta(minutes=1)


async def rehearse(temporal: Client, address: str | None = None, **environment: str) -> Any:
    """Run the demo corpus on the server of a test."""
    address = address or temporal.service_client.config.target_host
    words = ("rehearse", "--rules", RULES, "--temporal", address, "--timeout", "2m", "--json")
    return await asyncio.to_thread(clawback, *words, **environment)


async def test_it_creates_a_namespace_and_deletes_it(temporal: Client, tmp_path: Path) -> None:
    """The run is judged as ever, and the server is as before.

    In front of it is what production has: worker and commands need TLS, a certificate and a key.
    """
    target = temporal.service_client.config.target_host
    async with standing_before(target, tmp_path, "k3y-of-temporal") as front:
        settings = front.settings("k3y-of-temporal")
        done = await rehearse(temporal, front.address, **settings)
        refused = await asyncio.to_thread(clawback, "case", "list", **front.settings("another"))
    assert done.returncode == ExitCode.OK, done.stderr
    assert refused.returncode == ExitCode.ENVIRONMENT
    assert front.address in refused.stderr
    assert json.loads(done.stdout)["moved"] > 0
    listed = await temporal.workflow_service.list_namespaces(ListNamespacesRequest())
    assert not [
        one.namespace_info.name
        for one in listed.namespaces
        if one.namespace_info.name.startswith("clawback-rehearsal")
    ]


async def test_it_empties_a_given_namespace_and_needs_an_empty_one(temporal: Client) -> None:
    """Workflows of clawback that are already there are never touched; no schedule stays."""
    done = await rehearse(temporal, TEMPORAL_NAMESPACE="default")
    assert done.returncode == ExitCode.OK, done.stderr

    async def is_empty() -> bool | None:
        return (await temporal.count_workflows(names.OUR_WORKFLOWS)).count == 0 or None

    await eventually(is_empty, WITHIN)

    async def has_no_schedule() -> bool | None:
        return not [one.id async for one in await temporal.list_schedules()] or None

    await eventually(has_no_schedule, WITHIN)
    await temporal.start_workflow("any", id="mine", task_queue=names.WORKFLOW_QUEUE)

    async def is_found() -> bool | None:
        return (await temporal.count_workflows(names.OUR_WORKFLOWS)).count == 1 or None

    await eventually(is_found, WITHIN)
    refused = await rehearse(temporal, TEMPORAL_NAMESPACE="default")
    assert refused.returncode == ExitCode.ENVIRONMENT
    assert "namespace default has 1 workflows of clawback" in refused.stderr
    assert (await temporal.get_workflow_handle("mine").describe()).status is not None


async def test_no_server_is_one_sentence() -> None:
    """The address is named."""
    words = ("rehearse", "--rules", RULES, "--temporal", "127.0.0.1:1")
    done = await asyncio.to_thread(clawback, *words)
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "no Temporal server answers at 127.0.0.1:1" in done.stderr
