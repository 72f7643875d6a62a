"""`clawback console` as its operator meets it: a process, a link, a page; and what it refuses."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.local import free_port
from tests.cli.command import COMMAND, clawback, environment_of
from tests.waiting import eventually


def settings(temporal: Client, folder: Path, **changes: str) -> dict[str, str]:
    """An environment for a console over a server with a key file of its own."""
    keys = folder / "keys"
    if not keys.exists():
        assert clawback("keys", "new", str(keys)).returncode == ExitCode.OK
    return {
        "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
        "CLAWBACK_CONSOLE": f"127.0.0.1:{free_port()}",
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(keys),
        "CLAWBACK_STATE": str(folder / "state"),
        **changes,
    }


async def _is_up(http: httpx.AsyncClient) -> bool | None:
    try:
        return (await http.get("/healthz")).is_success or None
    except httpx.TransportError:
        return None


async def test_a_link_signs_one_browser_in_once(temporal: Client, tmp_path: Path) -> None:
    """It leads to the inbox; used again it does not; without one nobody gets in."""
    environment = settings(temporal, tmp_path)
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "console",
        env=environment_of(**environment),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://{environment['CLAWBACK_CONSOLE']}"
        async with httpx.AsyncClient(base_url=url, follow_redirects=True, timeout=60) as http:
            await eventually(lambda: _is_up(http))
            stranger = await http.get("/")
            assert "No held cases" not in stranger.text

            printed = await asyncio.to_thread(clawback, "console", "--link", **environment)
            link = printed.stdout.strip()
            assert link.startswith(url)
            assert "No held cases" in (await http.get(link)).text
            # The session opens the HTTP API too.
            me = (await http.get("/api/v1/me")).raise_for_status().json()
            assert "operator" in me["roles"]
            assert len((await http.get("/api/v1/rules")).json()["items"]) > 5

        async with httpx.AsyncClient(base_url=url, follow_redirects=True, timeout=60) as other:
            assert (await other.get("/api/v1/me")).status_code == 401
            again = await other.get(link)
            assert "No held cases" not in again.text
    finally:
        process.terminate()
        assert await process.wait() == ExitCode.OK


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"CLAWBACK_CONSOLE": "0.0.0.0:8434"}, r"set up an identity provider"),
        ({"CLAWBACK_CONSOLE_URL": "https://console.example"}, r"set up an identity provider"),
        ({"CLAWBACK_CONSOLE": "nonsense"}, r"CLAWBACK_CONSOLE"),
    ],
)
async def test_what_others_could_reach_needs_a_provider(
    temporal: Client, tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    """Each refusal is one sentence with its remedy."""
    environment = settings(temporal, tmp_path, **changes)
    done = await asyncio.to_thread(clawback, "console", **environment)
    assert done.returncode == ExitCode.USAGE
    assert re.search(says, done.stderr)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [("CLAWBACK_CONSOLE", "0.0.0.0:8434"), ("CLAWBACK_CONSOLE_URL", "https://claw.example")],
)
def test_a_wrong_setting_is_named_before_a_server_is_needed(setting: str, value: str) -> None:
    """Other machines could reach a console that cannot tell people apart; the remedy is named."""
    done = clawback("console", TEMPORAL_ADDRESS="127.0.0.1:1", **{setting: value})
    assert done.returncode == ExitCode.USAGE
    assert f"{setting} is {value}" in done.stderr
    assert "CLAWBACK_IDENTITY_ISSUER" in done.stderr
