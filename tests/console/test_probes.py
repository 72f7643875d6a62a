"""What a load balancer and an orchestrator learn about a console."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from temporalio.client import Client

from clawback.console.probes import PROBES
from clawback.console.services import Services
from clawback.settings import Settings
from clawback.telemetry.supervisor import BackgroundTask


@pytest.mark.parametrize(
    ("has_read", "problem", "statuses"),
    [
        (False, "", [200, 200, 503]),
        (True, "", [200, 200, 200]),
        # A restart would not help, and another replica sees the same.
        (True, "the Temporal server does not answer", [503, 200, 200]),
        (False, "the Temporal server does not answer", [503, 200, 503]),
    ],
)
async def test_probes_tell_a_server_that_is_down_from_a_console_that_is(
    temporal: Client, *, has_read: bool, problem: str, statuses: list[int]
) -> None:
    """The console is alive in any event, and ready once it knows the cases."""
    services = Services(Settings(), temporal)
    services.read_model.problem = problem
    services.read_model.read_at = datetime.now(UTC) if has_read else None
    app = Starlette(routes=PROBES)
    app.state.services = services
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as http:
        found = [(await http.get(path)).status_code for path in ("/healthz", "/livez", "/readyz")]
    assert found == statuses


async def test_health_names_a_background_task_that_fails(temporal: Client) -> None:
    """Pages would show an old state for ever; a restart of the process would not help either."""
    services, has_failed = Services(Settings(), temporal), asyncio.Event()

    async def fail() -> None:
        has_failed.set()
        raise KeyError

    app = Starlette(routes=PROBES)
    app.state.services = services
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://console") as http,
        services.tasks.running(BackgroundTask.CONTAINMENT, fail),
    ):
        await has_failed.wait()
        health, alive = await http.get("/healthz"), await http.get("/livez")
    assert "background task `containment` failed" in health.text
    assert (health.status_code, alive.status_code) == (503, 200)
