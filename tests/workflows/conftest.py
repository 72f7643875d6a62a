"""A namespace for each test, and pauses of workflows that are a tenth as long."""

import sys
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from tests.conftest import SharedServers, server_or_namespace
from workflows import options

PAUSES = (
    "FIRST_PAUSE",
    "LONGEST_PAUSE",
    "REFUSED_PAUSE",
    "EFFECT_PAUSES",
    "LOST_PAUSES",
    "GUARD_PAUSE",
    "GUARD_TELLS",
    "WITHDRAWAL_PAUSE",
    "CLAIM_PAUSE",
    "SWEEP_PAUSE",
    "TROUBLE_PAUSE",
)


@pytest.fixture
async def temporal(
    request: pytest.FixtureRequest, shared_servers: SharedServers
) -> AsyncIterator[Client]:
    """An empty namespace; a server of its own for a test that configures it."""
    async with server_or_namespace(request, shared_servers) as client:
        yield client


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of what production waits, in the same proportions."""
    for name in PAUSES:
        long = getattr(options, name)
        short = tuple(one / 10 for one in long) if isinstance(long, tuple) else long / 10
        set_option(monkeypatch, name, short)


def set_option(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Set an option of the workflows wherever it was imported; modules of the steps keep it."""
    loaded = [module for path, module in sys.modules.items() if path.startswith("workflows.")]
    for module in loaded:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)
