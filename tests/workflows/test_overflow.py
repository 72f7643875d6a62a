"""Fresh mail while matches cannot be sent: it is acted on, and nothing is lost or done twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from clawback.cases import CaseTiming
from clawback.model.events import EventKind
from clawback.model.polling import PollerStart, PollerStatus
from clawback.simulator import Simulator, outbreak
from clawback.temporal.match_gateway import Delivery, MatchGateway, RefusedMatches
from tests.waiting import eventually
from tests.workflows.deployment import Deployment, deployed
from tests.workflows.test_case import moved_ids, simulated


class Dam(MatchGateway):
    """A gateway on which deliveries of the storm get stuck while it is shut."""

    gate: asyncio.Event
    storm: frozenset[str] = frozenset()
    lets_through = 0

    async def deliver(self, delivery: Delivery, timing: CaseTiming) -> list[RefusedMatches]:
        """Deliver, or wait until the gate opens."""
        ids = {one.id for _, some in delivery.found for match in some for one in match.targets}
        if ids & self.storm and not self.gate.is_set():
            if Dam.lets_through <= 0:
                await self.gate.wait()
            Dam.lets_through -= 1
        return await super().deliver(delivery, timing)


@pytest.fixture
def dam(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Dam]]:
    """Let workers send through a dam, and lose their patience soon."""
    monkeypatch.setattr("worker.MatchGateway", Dam)
    for patience in ("LIVE_PATIENCE", "PATIENCE"):
        monkeypatch.setattr(f"clawback.model.poll_windows.{patience}", timedelta(seconds=0.5))
    monkeypatch.setattr("clawback.temporal.fan_out.GRACE", timedelta(seconds=0.1))
    monkeypatch.setattr("worker.SHUTDOWN_GRACE", timedelta(seconds=1))
    Dam.gate, Dam.storm, Dam.lets_through = asyncio.Event(), frozenset(), 0
    yield Dam
    Dam.gate.set()


@asynccontextmanager
async def polling(temporal: Client, simulator: Simulator, tmp_path: Path) -> AsyncIterator[Any]:
    """Run an installation that polls every second."""
    async with asyncio.timeout(100), deployed(temporal, simulator, tmp_path) as deployment:
        start = {"interval": timedelta(seconds=1), "start": timedelta(0)}
        await deployment.pollers.start(PollerStart(source=EventKind.MESSAGE, **start))
        yield deployment


def mail_of(*senders: str) -> list[dict[str, Any]]:
    """Build a mail of each sender that was scanned just now."""
    found = [outbreak(1, len(sender), sender=f"ceo@{sender}.test") for sender in senders]
    return [line for campaign in found for line in campaign]


def let_storm_arrive(simulator: Simulator) -> list[dict[str, Any]]:
    """Let three mails arrive that get stuck at the dam."""
    lines = mail_of("hail", "storm", "thunder")
    Dam.storm = frozenset(line["message"]["id"] for line in lines)
    simulator.add(lines)
    return lines


async def overflowed(deployment: Deployment) -> PollerStatus | None:
    """The status, once matches are left unsent."""
    status = await deployment.pollers.status(EventKind.MESSAGE)
    return status if status.unsent else None


async def moves_each_once(deployment: Deployment, *lines: dict[str, Any]) -> None:
    """Wait until these messages are moved; none may be moved twice, and no other."""
    expected = sorted(line["message"]["id"] for line in lines)

    async def moved() -> bool | None:
        return len(moved_ids(deployment)) >= len(expected) or None

    await eventually(moved)
    assert sorted(moved_ids(deployment)) == expected


async def test_fresh_mail_passes_matches_that_cannot_be_sent(
    temporal: Client, tmp_path: Path, dam: type[Dam]
) -> None:
    """It is moved while a page before it is stuck; the status says so, and then all are moved."""
    async with polling(temporal, simulated([]), tmp_path) as deployment:
        await deployment.poll()
        storm = let_storm_arrive(deployment.simulator)
        await eventually(lambda: overflowed(deployment))
        fresh = mail_of("fresh-mail")
        deployment.simulator.add(fresh)
        await moves_each_once(deployment, *fresh)

        status = await overflowed(deployment)
        assert status is not None
        assert (status.state, status.backlog) == ("polling", status.unsent)
        assert "still being sent" in (status.detail or "")

        dam.gate.set()
        assert (await deployment.poll()).detail is None
        await deployment.idle()
        await moves_each_once(deployment, *fresh, *storm)


async def test_a_worker_that_ends_while_matches_are_sent_loses_none(
    temporal: Client, tmp_path: Path, dam: type[Dam]
) -> None:
    """One of three is sent when it ends; the next worker sends the others, and moves each once."""
    simulator = simulated([])
    async with polling(temporal, simulator, tmp_path) as deployment:
        await deployment.poll()
        dam.lets_through = 1
        storm = let_storm_arrive(simulator)
        await eventually(lambda: overflowed(deployment))

    dam.gate.set()
    async with polling(temporal, simulator, tmp_path) as deployment:
        await deployment.poll()
        await deployment.idle()
        await moves_each_once(deployment, *storm)
