"""What no request may do, whoever sends it: over a real port, as attackers and browsers ask."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawback.console.access.request_guard import MAX_BODY, RequestGuard
from clawback.console.access.site import Site, read_site
from clawback.identity.errors import IdentityError
from clawback.local import free_port
from clawback.settings import Settings
from tests.console.access.serving import serve

FORM = {"content-type": "application/x-www-form-urlencoded"}
SLOW = 2.0
PROBES = ("/healthz", "/livez", "/readyz")


async def echo(request: Request) -> JSONResponse:
    """Answer with the body."""
    return JSONResponse({"body": (await request.body()).decode()})


async def healthy(_: Request) -> JSONResponse:
    """Answer a probe."""
    return JSONResponse({})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A console that echoes, behind the guard."""
    routes = [
        Route("/", echo, methods=["GET", "POST"]),
        Route("/api/v1/x", echo, methods=["GET", "POST"]),
        *(Route(path, healthy, methods=["GET", "POST"]) for path in PROBES),
    ]

    address = f"127.0.0.1:{free_port()}"
    site = read_site(Settings(), address)
    app = RequestGuard(Starlette(routes=routes), site, body_seconds=SLOW)
    async with serve(app, address) as found:
        yield found


async def ask(url: str, method: str = "POST", **options: Any) -> httpx.Response:
    """Send one request."""
    async with httpx.AsyncClient() as http:
        return await http.request(method, url, **options)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"origin": "{url}"},
        {"origin": "{url}", "sec-fetch-site": "same-origin"},
        {"authorization": "Bearer x"},
    ],
    ids=["fetch", "origin", "both", "token"],
)
async def test_our_own_pages_and_programs_may_post(url: str, headers: dict[str, str]) -> None:
    """The handler gets the body, which the guard has read."""
    given = {name: value.format(url=url) for name, value in headers.items()}
    response = await ask(url, headers={**FORM, **given}, content=b"a=1&b=%C3%A9&a=")
    assert response.json() == {"body": "a=1&b=%C3%A9&a="}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "{other}"},
        {"origin": "{url}.evil.example"},
        {"origin": "https{rest}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "{url}"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
    ],
)
async def test_the_page_of_another_site_may_not(url: str, headers: dict[str, str]) -> None:
    """Neither with an origin that looks like ours; a form of another port is of another site."""
    other, rest = url.rpartition(":")[0] + ":1", url.removeprefix("http")
    given = {name: text.format(url=url, other=other, rest=rest) for name, text in headers.items()}
    response = await ask(url, headers={**FORM, **given}, content=b"a=1")
    assert response.status_code == 403
    assert "does not come from a page of this console" in response.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "localhost.:{p}"])
async def test_a_name_that_somebody_pointed_at_us_is_not_ours(url: str, host: str) -> None:
    """DNS rebinding: also for reading, where no origin is checked."""
    port = url.rpartition(":")[2]
    response = await ask(url, "GET", headers={"host": host.format(p=port)})
    assert response.status_code == 421
    assert f"localhost:{port}" in response.text
    for path in PROBES:
        probe = await ask(f"{url}{path}", "GET", headers={"host": "10.0.0.7:8434"})
        assert probe.status_code == 200
        assert (await ask(f"{url}{path}", headers={"host": "10.0.0.7:8434"})).status_code == 421


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "[::1]", "127.0.0.1"])
async def test_this_machine_has_several_names(url: str, name: str) -> None:
    """People type any of them."""
    host = f"{name}:{url.rpartition(':')[2]}"
    assert (await ask(url, "GET", headers={"host": host})).status_code == 200


async def test_a_body_is_bounded(url: str) -> None:
    """Announced or not."""
    headers = {**FORM, "origin": url}
    assert (await ask(url, headers=headers, content=b"a=" + b"x" * (MAX_BODY - 2))).is_success

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * (MAX_BODY // 8)

    for content in (bytes(MAX_BODY + 1), parts()):
        assert (await ask(url, headers=headers, content=content)).status_code == 413


async def test_a_slow_body_is_given_up(url: str) -> None:
    """The answer comes although the body does not."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {url}\r\nContent-Length: 9\r\n\r\na"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readline(), 60)
    assert b" 408 " in answer
    writer.close()


async def test_an_error_has_the_form_that_the_asker_reads(url: str) -> None:
    """Problem details for programs, a part of a page for htmx, else a page."""
    api = await ask(f"{url}/api/v1/x", headers=FORM)
    assert api.headers["content-type"] == "application/problem+json"
    assert api.json()["status"] == 403
    part = await ask(url, headers={**FORM, "hx-request": "true"})
    assert part.text.startswith("<p role=")
    assert (await ask(url, headers=FORM)).text.startswith("<!doctype html>")


PUBLIC: dict[str, Any] = {"console_url": "https://Claw.example", "console": "0.0.0.0:8434"}
PROVIDER: dict[str, Any] = {"identity_issuer": "https://login.example", "identity_client_id": "x"}


def test_behind_a_proxy_only_the_public_name_counts() -> None:
    """With and without the port that is the default; the origin is that of the proxy."""
    site = read_site(Settings(**PROVIDER, **PUBLIC))
    assert site == Site("https", frozenset({"claw.example", "claw.example:443"}), is_proxied=True)
    assert site.origin("Claw.example") == "https://claw.example"
    other = read_site(Settings(**PROVIDER, console_url="https://claw.example:8443"))
    assert other.hosts == {"claw.example:8443"}


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"console": "0.0.0.0:8434"}, "CLAWBACK_IDENTITY_ISSUER"),
        ({"console": "[::]:8434"}, "or use 127.0.0.1"),
        ({"console": "claw.example:8434"}, "CLAWBACK_IDENTITY_ISSUER"),
        ({"console_url": "https://claw.example"}, "or remove it"),
        ({**PROVIDER, "console": "0.0.0.0:8434"}, "CLAWBACK_CONSOLE_URL"),
    ],
)
def test_nobody_else_reaches_a_console_that_cannot_tell_people_apart(
    settings: dict[str, Any], remedy: str
) -> None:
    """Without a provider it is for this machine; with one it needs https."""
    with pytest.raises(IdentityError, match=remedy):
        read_site(Settings(**settings))
