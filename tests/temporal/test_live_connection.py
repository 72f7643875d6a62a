"""Credentials for Temporal that are rotated while a client and a worker use them.

In front of the server is what production has: TLS, client certificates and an API key.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from clawback.services.secret_watcher import SecretWatcher
from clawback.settings import Settings
from clawback.telemetry import metrics
from clawback.temporal.client import api_key_of, connect
from clawback.temporal.live_connection import follow_connection
from tests.certificates import issue
from tests.rehearsal.tls_front import Front, standing_before
from tests.waiting import until

QUEUE = "live-connection"


@workflow.defn(name="echo", sandboxed=False)
class EchoWorkflow:
    """Returns what it was given."""

    @workflow.run
    async def run(self, word: str) -> str:
        """Return the word."""
        return word


@pytest.fixture
async def front(temporal: Client, tmp_path: Path) -> AsyncIterator[Front]:
    """What stands before the server of the test."""
    target = temporal.service_client.config.target_host
    async with standing_before(target, tmp_path, "first-key") as front:
        yield front


@pytest.fixture
async def client(
    front: Front, temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Client:
    """A client that has read certificates and key from files."""
    (tmp_path / "api-key").write_text("first-key")
    for name, value in front.settings("").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TEMPORAL_API_KEY")
    return await connect(settings(tmp_path), namespace=temporal.namespace)


def settings(folder: Path) -> Settings:
    """The settings of a process with its API key in a file."""
    return Settings(encryption="off", temporal_api_key_file=folder / "api-key")


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    """Run a worker over the connection of a client."""
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[EchoWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    follow_connection(client, [worker])
    async with worker:
        yield


async def echo(client: Client, word: str) -> str:
    """Have the worker return a word."""
    async with asyncio.timeout(20):
        return await client.execute_workflow(EchoWorkflow.run, word, id=word, task_queue=QUEUE)


async def settle(watcher: SecretWatcher) -> None:
    """Look as often as a change needs."""
    for _ in range(2):
        await watcher.look()


def is_troubled() -> float | None:
    """What the metrics say of the certificates."""
    labels = {"secret": "temporal_certificates"}
    return metrics.REGISTRY.get_sample_value("clawback_secret_unreadable", labels)


async def test_client_and_worker_go_on_with_a_new_certificate(
    client: Client, front: Front, tmp_path: Path
) -> None:
    """Nothing is left that uses the old one: it is revoked, and a workflow runs after that."""
    watcher = SecretWatcher(client, api_key_of(settings(tmp_path)))
    async with working(client):
        assert await echo(client, "before") == "before"
        await settle(watcher)
        (old,) = front.serials
        new = front.renew()
        with capture_logs() as logs:
            await settle(watcher)
        assert new in front.serials
        front.revoke(old)
        assert await echo(client, "after") == "after"
        await until(lambda: front.serials == {new})
    assert [one["event"] for one in logs] == ["secret.changed"] * 2 + ["temporal.reconnected"]
    assert is_troubled() == 0


async def test_a_certificate_that_the_server_refuses_is_not_used(
    client: Client, front: Front, tmp_path: Path
) -> None:
    """It is told once, shows in the metrics, and the next good one is taken."""
    watcher = SecretWatcher(client)
    async with working(client):
        await settle(watcher)
        (old,) = front.serials
        (elsewhere := tmp_path / "elsewhere").mkdir()
        front.renew(by=issue(elsewhere, "another"))
        with capture_logs() as logs:
            for _ in range(3):
                await watcher.look()
        assert [one["event"] for one in logs] == ["secret.changed"] * 2 + [
            "temporal.not_reconnected"
        ]
        assert is_troubled() == 1
        assert await echo(client, "as before") == "as before"
        assert front.serials == {old}

        new = front.renew()
        await settle(watcher)
        await watcher.look()
        assert (new in front.serials, is_troubled()) == (True, 0)


async def test_the_next_call_has_the_new_api_key(
    client: Client, front: Front, tmp_path: Path
) -> None:
    """The server takes no other one from then on; a new connection sends it too."""
    watcher = SecretWatcher(client, api_key_of(settings(tmp_path)))
    await watcher.look()
    front.key = "second-key"
    (tmp_path / "api-key").write_text("second-key\n")
    await watcher.look()
    assert await client.count_workflows() is not None
    front.renew()
    await settle(watcher)
    assert await client.count_workflows() is not None
