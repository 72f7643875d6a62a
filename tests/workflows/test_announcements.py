"""What channels are told of the installation itself, from a real server to a real receiver."""

from pathlib import Path
from typing import Any

from temporalio.client import Client

from clawback.notifications import Channels
from clawback.notifications.channel_file import parse_channels
from clawback.simulator import Simulator, SimulatorOptions
from clawback.temporal import names
from clawback.temporal.guard_gateway import GuardGateway
from tests.notifications.receivers import WebReceiver, web_receiver
from tests.notifications.samples import KEY
from tests.people import person
from tests.waiting import eventually
from tests.workflows.deployment import deployed


def listening(receiver: WebReceiver) -> Channels:
    """Two channels, of which one listens for a stop."""
    settings: dict[str, Any] = {"kind": "webhook", "url": receiver.url, "key": KEY}
    return parse_channels({"soc": {**settings, "occasions": ["stopped"]}, "log": settings})


async def test_a_stop_is_told_once_to_those_who_listen(temporal: Client, tmp_path: Path) -> None:
    """By whom and why. A second stop of the same is none, and nobody listens for the resume."""
    with web_receiver() as receiver:
        simulator = Simulator(SimulatorOptions(rate=None))
        async with deployed(temporal, simulator, tmp_path, listening(receiver)) as deployment:
            guard = GuardGateway(deployment.client)
            await guard.stop(person("ana"), "quarantines newsletters")
            await guard.stop(person("ben"), "again")
            await guard.resume(person("ana"))
            await guard.stop(person("ben"), "still wrong")
            told = await eventually(lambda: _told(receiver, 2))

    assert [one["type"] for one in told] == ["installation.stopped"] * 2
    first, second = (one["data"] for one in told)
    assert first["text"].startswith("[critical] Containment: Stopped\n")
    assert "By ana\nReason: quarantines newsletters" in first["text"]
    assert second["reason"] == "still wrong"
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 2


async def test_a_cancelled_guard_still_tells_that_it_has_stopped(
    temporal: Client, tmp_path: Path
) -> None:
    """The cancellation is of the guard, not of what tells people."""
    with web_receiver() as receiver:
        simulator = Simulator(SimulatorOptions(rate=None))
        async with deployed(temporal, simulator, tmp_path, listening(receiver)) as deployment:
            await deployment.client.get_workflow_handle(names.GUARD_ID).cancel()
            (told,) = await eventually(lambda: _told(receiver, 1))

    assert told["data"]["reason"] == "somebody cancelled the guard"


async def _told(receiver: WebReceiver, count: int) -> list[dict[str, Any]] | None:
    told = sorted(receiver.accepted, key=lambda one: one["timestamp"])
    return told if len(told) == count else None
