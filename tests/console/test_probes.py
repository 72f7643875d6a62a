"""What a load balancer and an orchestrator learn about a console."""

from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette
from temporalio.client import Client

from clawback.console.probes import PROBES
from clawback.console.services import Services
from clawback.settings import Settings


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
