"""Signing out at one replica ends the session at every other one, through the real workflow."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from clawback.console.access.revocations import SharedRevocations
from clawback.console.access.session_cookie import Session
from clawback.console.errors import Unavailable
from clawback.model.identity import Role
from clawback.simulator import outbreak
from clawback.temporal.access_cache import AccessCache
from clawback.temporal.access_gateway import AccessGateway
from tests.people import person
from tests.workflows.deployment import deployed
from tests.workflows.test_case import simulated


def replica(client: Client) -> tuple[AccessCache, SharedRevocations]:
    """What one console knows."""
    gateway = AccessGateway(client)
    cache = AccessCache(gateway)
    return cache, SharedRevocations(cache, gateway)


async def test_a_session_is_over_at_every_replica(temporal: Client, tmp_path: Path) -> None:
    """A viewer may sign out too; the session of somebody else goes on."""
    now = datetime.now(UTC)
    ana, ben = (
        Session.begin(person(name, Role.VIEWER, verified=True).identity, now)
        for name in ("ana", "ben")
    )
    async with deployed(temporal, simulated(list(outbreak(1))), tmp_path):
        here, there = replica(temporal), replica(temporal)
        assert here[1].is_stale
        for cache, revocations in (here, there):
            await cache.read()
            assert not revocations.is_stale
            assert not revocations.is_revoked(ana)

        await here[1].revoke(ana)
        assert here[1].is_revoked(ana)
        await there[0].read()
        assert there[1].is_revoked(ana)
        assert not there[1].is_revoked(ben)


async def test_without_a_server_a_session_is_over_here_at_least() -> None:
    """And whoever signs out learns that a copy of the cookie may still count elsewhere."""
    client = await Client.connect("127.0.0.1:1", lazy=True)
    _, revocations = replica(client)
    session = Session.begin(person("ana", verified=True).identity, datetime.now(UTC))
    with pytest.raises(Unavailable):
        await revocations.revoke(session)
    assert revocations.is_revoked(session)
