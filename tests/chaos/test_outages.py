"""Outages: a killed Temporal server, an audit that cannot be written, a rate-limit block."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.local import TemporalServer, free_port, temporal_child
from clawback.model.events import EventKind
from clawback.model.polling import PollerStart
from clawback.settings import Settings
from clawback.simulator import Rate, Simulator, SimulatorOptions, outbreak, parse_faults
from clawback.telemetry import metrics
from clawback.temporal.client import connect
from tests.waiting import eventually, until
from tests.workflows.deployment import Deployment, deployed

LONG = timedelta(seconds=120)


def campaigns(count: int, copies: int) -> list[dict[str, Any]]:
    """Several campaigns, so that several cases have work."""
    return [
        line
        for seed in range(count)
        for line in outbreak(copies, seed=seed, sender=f"s{seed}@bad.test")
    ]


def simulated(lines: list[dict[str, Any]], faults: str = "", rate: Rate | None = None) -> Simulator:
    """A simulator with these messages."""
    simulator = Simulator(
        replace(SimulatorOptions(rate=rate), faults=parse_faults(faults), seed=11)
    )
    simulator.add(lines)
    return simulator


def moved(deployment: Deployment) -> list[str]:
    """The id of each effective move."""
    return [row["id"] for row in deployment.ledger if row["operation"] == "move"]


async def test_a_killed_server_loses_and_repeats_no_work(tmp_path: Path) -> None:
    """SIGKILL twice during the work; the restarted server continues from its file."""
    server = TemporalServer(tmp_path / "temporal.db", free_port())
    child = temporal_child(server, Settings(), tmp_path / "logs")
    await child.start()
    try:
        client = await connect(Settings(), address=server.address)
        lines = campaigns(30, 5)
        async with deployed(
            client, simulated(lines, "slow=0.3:0.2"), tmp_path / "state"
        ) as deployment:
            polling = asyncio.create_task(_poll(deployment))
            for share in (1, len(lines) // 2):
                await eventually(partial(_moved, deployment, share), LONG)
                child.kill(expected=True)
            await eventually(lambda: _moved(deployment, len(lines)), LONG)
            await polling
            assert sorted(moved(deployment)) == sorted(line["message"]["id"] for line in lines)
            creations = [
                row["pattern"] for row in deployment.ledger if row["operation"] == "create"
            ]
            assert len(creations) == len(set(creations))
    finally:
        await child.stop(5)


async def test_an_audit_that_cannot_be_written_holds_containment(
    temporal: Client, tmp_path: Path
) -> None:
    """Nothing happens unrecorded; the work continues once the audit can be written."""
    audit = tmp_path / "audit.jsonl"
    audit.mkdir()
    lines = list(outbreak(5))
    async with deployed(temporal, simulated(lines), tmp_path, audit=audit) as deployment:
        # Its pages are retried too: what is only counted is recorded by the poll.
        await deployment.pollers.start(
            PollerStart(source=EventKind.MESSAGE, start=timedelta(hours=1))
        )
        await eventually(lambda: _started(deployment))
        tried = _reservation_retries()
        await until(lambda: _reservation_retries() >= tried + 3)
        assert deployment.ledger == []
        audit.rmdir()
        await eventually(lambda: _moved(deployment, 5), LONG)
        await deployment.idle()
        assert (
            sum(record.kind == "acted" and record.action == "move" for record in deployment.audit())
            == 5
        )


async def test_a_rate_limit_block_is_waited_out(temporal: Client, tmp_path: Path) -> None:
    """Nothing is sent during the block; afterwards everything is done once."""
    lines = campaigns(5, 2)
    simulator = simulated(lines, rate=Rate(12, 6))
    async with deployed(temporal, simulator, tmp_path) as deployment:
        await deployment.poll()
        await eventually(lambda: _moved(deployment, len(lines)), LONG)
        assert sorted(moved(deployment)) == sorted(line["message"]["id"] for line in lines)


def _reservation_retries() -> float:
    asking = ("guard.reserve", "guard.reserve_and_move")
    return float(sum(metrics.ACTIVITY_RETRIES.labels(one)._value.get() for one in asking))


async def _poll(deployment: Deployment) -> None:
    await deployment.pollers.start(
        PollerStart(
            source=EventKind.MESSAGE, interval=timedelta(seconds=1), start=timedelta(hours=1)
        )
    )
    await eventually(lambda: _drained(deployment), LONG)


async def _drained(deployment: Deployment) -> bool | None:
    try:
        return (await deployment.pollers.status(EventKind.MESSAGE)).drained_at is not None or None
    except Exception:  # noqa: BLE001 - the server may be away
        return None


async def _moved(deployment: Deployment, count: int) -> bool | None:
    return len(moved(deployment)) >= count or None


async def _started(deployment: Deployment) -> bool | None:
    return await deployment.cases.count() > 0 or None
