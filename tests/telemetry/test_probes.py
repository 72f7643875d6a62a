"""Liveness and readiness of a process, as an orchestrator asks for them."""

import asyncio
import urllib.error
import urllib.request

import pytest

from clawback.telemetry.probes import PATIENCE, ProcessProbes
from clawback.telemetry.server import serve_metrics


def test_a_process_is_ready_after_its_start() -> None:
    """Until then it is alive, and not ready."""
    probes = ProcessProbes()
    assert (probes.find_hang(), probes.find_unready()) == (None, "not started yet")
    probes.note_ready()
    assert probes.find_unready() is None


@pytest.mark.parametrize("over", [0.0, 1.0])
def test_a_loop_that_hangs_for_a_minute_needs_a_restart(over: float) -> None:
    """Both probes say so, and not before."""
    seconds = 0.0
    probes = ProcessProbes(lambda: seconds)
    probes.note_ready()
    seconds = PATIENCE.total_seconds() + over
    problem = f"the event loop has not run for {seconds:.0f} s" if over else None
    assert (probes.find_hang(), probes.find_unready()) == (problem, problem)


async def test_a_loop_that_runs_again_is_well() -> None:
    """The next turn of the loop is noted."""
    seconds = 0.0
    probes = ProcessProbes(lambda: seconds)
    seconds = 1000.0
    assert probes.find_hang() is not None
    watching = asyncio.create_task(probes.watch())
    await asyncio.sleep(0)
    assert probes.find_hang() is None
    watching.cancel()


def test_probes_are_served_beside_the_health() -> None:
    """A process that starts while Cloudflare is down is alive, not ready, and not healthy."""
    probes = ProcessProbes()
    checks = {"/livez": probes.find_hang, "/readyz": probes.find_unready}
    with serve_metrics("127.0.0.1:0", health=lambda: "no poll", probes=checks) as server:
        found = {path: _status(server.port, path) for path in ("/livez", "/readyz", "/healthz")}
    assert found == {"/livez": 200, "/readyz": 503, "/healthz": 503}


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        return error.code
    return status
