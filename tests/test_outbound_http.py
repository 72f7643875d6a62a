"""Proxies and certificates of the environment: which request takes which way."""

import asyncio
import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

import clawback as clawback_package
from clawback.cli.exits import ExitCode
from clawback.cloudflare.http_client import open_http_client
from clawback.notifications import Notifier
from clawback.outbound_http import (
    NetworkSettingsError,
    OutboundTransport,
    Proxies,
    default_tls_context,
)
from clawback.telemetry import serve_metrics
from clawback.telemetry.runtime import build_runtime
from tests.cli.command import clawback, sentence

API = "https://api.cloudflare.com/client/v4"
PROXY = "http://proxy.test:3128"
BROKEN = {
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "https_proxy": "gopher://127.0.0.1:1",
    "NO_PROXY": "fd00::/8,10.0.0.0/8",
    "SSL_CERT_FILE": "/nowhere/ca.pem",
}


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": "proxy.test:3128", "HTTPS_PROXY": "http://other.test"}, PROXY),
        ({"ALL_PROXY": "socks5://proxy.test:1080"}, "socks5://proxy.test:1080"),
        ({"ALL_PROXY": "socks5://proxy.test:1080", "HTTPS_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": ""}, None),
    ],
)
def test_the_proxy_of_the_api(environment: dict[str, str], proxy: str | None) -> None:
    """That of the scheme counts before that for all, and lower case before upper case."""
    assert Proxies(environment).find(API) == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "is_direct"),
    [
        ("*", API, True),
        ("cloudflare.com", API, True),
        (".cloudflare.com", API, True),
        ("*.cloudflare.com", API, True),
        ("other.test, api.cloudflare.com", API, True),
        ("API.Cloudflare.COM", API, True),
        ("flare.com", API, False),
        ("api.cloudflare.com:443", API, True),
        ("api.cloudflare.com:8443", API, False),
        ("10.0.0.0/8", "https://10.1.2.3/hook", True),
        ("10.0.0.0/8", "https://11.1.2.3/hook", False),
        ("10.1.2.3", "https://10.1.2.3/hook", True),
        ("fd00::/8", "https://[fd12::7]/hook", True),
        ("fd00::/8", "https://[2001:db8::7]/hook", False),
        ("[fd12::7]", "https://[fd12::7]/hook", True),
        ("[fd12::7]:443", "https://[fd12::7]/hook", True),
        ("fd12::7", "https://[fd12::7]/hook", True),
        ("fd00::/8,::,not a host/99,[", API, False),
        ("", API, False),
    ],
)
def test_what_needs_no_proxy(exceptions: str, url: str, *, is_direct: bool) -> None:
    """Domains with all below them, addresses and networks of both kinds, each with a port."""
    proxies = Proxies({"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions})
    assert (proxies.find(url) is None) is is_direct


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]"])
def test_nothing_for_this_machine_takes_a_proxy(host: str) -> None:
    """Whatever the variables say, and with no word in NO_PROXY."""
    assert Proxies({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}).find(f"http://{host}:8343/") is None


@pytest.mark.parametrize(
    "value", ["socks4://p.test:1", "ftp://p.test", "http://", "http://p.test:x", "://", "[::1"]
)
def test_a_proxy_that_is_none_is_named(value: str) -> None:
    """By its variable alone: the value may hold a password."""
    with pytest.raises(NetworkSettingsError, match="ALL_PROXY names no usable proxy") as refused:
        Proxies({"ALL_PROXY": value}).find(API)
    assert "p.test" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("SSL_CERT_FILE", "SSL_CERT_FILE names {path}, and there is no such file"),
        ("SSL_CERT_DIR", "SSL_CERT_DIR names {path}, and there is no such folder"),
    ],
)
def test_certificates_that_are_missing_are_named(
    tmp_path: Path, variable: str, message: str
) -> None:
    """A path of another machine is a wrong setting, and no defect."""
    path = tmp_path / "missing"
    with pytest.raises(NetworkSettingsError) as refused:
        default_tls_context({variable: str(path)})
    assert str(refused.value) == message.format(path=path)


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    """An empty bundle would fail with each request."""
    (tmp_path / "ca.pem").write_text("none\n")
    with pytest.raises(NetworkSettingsError, match="no certificates in PEM format"):
        default_tls_context({"SSL_CERT_FILE": str(tmp_path / "ca.pem")})


def test_without_variables_servers_are_verified() -> None:
    """By the certificates that come with the client."""
    context = default_tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509_ca"] > 50


@asynccontextmanager
async def serve(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer what one connection sends, part by part; yield the port and what was received."""
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in answers:
            received.append(await reader.read(4096))
            writer.write(one)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], received


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def ask(environment: dict[str, str], url: str) -> str:
    """Read a page with the variables of an environment."""
    transport = OutboundTransport(environment=environment)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        return (await http.get(url)).text


async def test_a_request_goes_through_the_proxy() -> None:
    """With the whole URL and the credentials of the proxy, while one for this machine does not."""
    async with serve(OK) as (proxy, received), serve(OK) as (here, _):
        environment = {"http_proxy": f"http://user:secret@127.0.0.1:{proxy}"}
        assert await ask(environment, "http://receiver.test/hook") == "ok"
        assert await ask(environment, f"http://127.0.0.1:{here}/") == "ok"
    (request,) = received
    assert request.startswith(b"GET http://receiver.test/hook HTTP/1.1\r\n")
    assert b"proxy-authorization: basic" in request.lower()


async def test_a_request_goes_through_socks() -> None:
    """The name of the host goes along: the proxy resolves it."""
    connected = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"
    async with serve(b"\x05\x00", connected, OK) as (proxy, received):
        environment = {"ALL_PROXY": f"socks5://127.0.0.1:{proxy}"}
        assert await ask(environment, "http://receiver.test/hook") == "ok"
    assert b"receiver.test" in received[1]


async def test_on_this_machine_nothing_of_the_environment_matters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo, the metrics of the SDK and a worker without channels start all the same."""
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, value)
    async with serve(OK) as (port, _), Notifier({}):
        url = f"http://127.0.0.1:{port}/client/v4"
        async with open_http_client(url, SecretStr("t0ken"), None, timedelta(seconds=5)) as http:
            assert (await http.get(url)).text == "ok"
    runtime, scrape = build_runtime()
    runtime.metric_meter.create_counter("temporal_probe", "made here").add(3)
    assert b"temporal_probe_total" in await asyncio.to_thread(scrape)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "SSL_CERT_FILE",
            "/nowhere/ca.pem",
            "SSL_CERT_FILE names /nowhere/ca.pem, and there is no",
        ),
        ("HTTPS_PROXY", "gopher://user:secret@p.test", "HTTPS_PROXY names no usable proxy: write"),
    ],
)
def test_a_command_says_which_variable_is_wrong(variable: str, value: str, message: str) -> None:
    """It says nothing of the credentials, which are right, and does not print those of a proxy."""
    account = {"CLOUDFLARE_API_TOKEN": "t" * 40, "CLOUDFLARE_ACCOUNT_ID": "a" * 32}
    done = clawback("api", "investigate", "get", "x", **account, **{variable: value})
    assert (done.returncode, "secret" in done.stderr) == (ExitCode.USAGE, False)
    assert sentence(done).startswith(f"clawback: {message}")


def test_a_wrong_proxy_for_the_api_is_found_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, before the first request."""
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NetworkSettingsError, match="https_proxy names no usable proxy"):
        open_http_client(API, SecretStr("t0ken"), None, timedelta(seconds=5))
    monkeypatch.setenv("https_proxy", "")
    with pytest.raises(NetworkSettingsError, match=r"SSL_CERT_FILE names /nowhere/ca\.pem"):
        open_http_client(API, SecretStr("t0ken"), None, timedelta(seconds=5))


def test_no_client_reads_the_environment_itself() -> None:
    """One that did would send requests for this machine to a proxy, or fail on variables."""
    folder = Path(clawback_package.__file__).parent
    for path in folder.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "urlopen(" not in text, path
        if "httpx.AsyncClient(" in text or "httpx.Client(" in text:
            assert text.count("httpx.AsyncClient(") == text.count("trust_env=False,"), path
            assert "httpx.Client(" not in text, path


def test_the_image_asks_for_its_health_without_a_proxy() -> None:
    """Else a proxy of the host makes a healthy worker unhealthy."""
    dockerfile = Path(__file__).parents[1] / "deploy" / "container" / "Dockerfile"
    (check,) = re.findall(r"^HEALTHCHECK .*\n +CMD (.+)$", dockerfile.read_text(), re.MULTILINE)
    _, _, _, program = json.loads(check)
    environment = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    with serve_metrics("127.0.0.1:0", health=lambda: None) as server:
        here = program.replace(":9464/", f":{server.port}/")
        done = subprocess.run([sys.executable, "-I", "-c", here], env=environment, check=False)
    assert done.returncode == 0
