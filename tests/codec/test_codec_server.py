"""The codec server over a real port, asked as the Temporal UI asks it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, Parse
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from clawback.codec import CodecServer
from clawback.codec.display import MAX_SHOWN
from clawback.codec.server import MAX_BODY
from clawback.codec.sign_in import Gate, Links, LocalUser
from clawback.identity.bearer import BearerTokens
from clawback.identity.exchange import open_http
from clawback.identity.oidc import ClientSettings, OidcProvider
from clawback.identity.peers import Address, _encode, find_user
from clawback.identity.role_mapping import RoleMapping
from clawback.model.identity import Role
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_ring import Key, KeyRing
from tests.identity.providers import CLIENT, local_provider, mock_provider

UI = "http://127.0.0.1:8233"
KEYS = KeyRing([Key.generate()])


def gate_for(user: int | None, tokens: BearerTokens | None = None) -> Gate:
    """A gate that meets connections of this user; None is one that nobody knows."""

    def find(_client: Address, _server: Address) -> int | None:
        return user

    links = Links(KEYS)
    return Gate((LocalUser(os.geteuid(), find), links), links, tokens)


@pytest.fixture
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A running codec server; an indirect parameter is the user that it meets."""
    server = CodecServer(KEYS, frozenset({UI}), "prod")
    if hasattr(request, "param"):
        server = CodecServer(KEYS, frozenset({UI}), "prod", gate_for(request.param))
    async with server.serve("127.0.0.1", 0) as address:
        yield address


async def encoded(value: Any, keys: KeyRing | None = KEYS) -> Payload:
    """A payload of a workflow, as the server of Temporal has it."""
    context = WorkflowSerializationContext("prod", "case/r/1")
    return (await data_converter(keys).with_context(context).encode([value]))[0]


async def ask(url: str, *payloads: Payload, **headers: str) -> httpx.Response:
    """Ask as the Temporal UI does."""
    given = {"origin": UI, "x-namespace": "prod", "content-type": "application/json"}
    chosen = {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with httpx.AsyncClient() as client:
        return await client.post(
            f"{url}/decode?preserveStorageRefs=true",
            content=json.dumps(MessageToDict(Payloads(payloads=payloads))),
            headers={name: value for name, value in chosen.items() if value},
        )


def shown(response: httpx.Response) -> list[Any]:
    """The values of a response."""
    assert response.status_code == 200, response.text
    read = Payloads()
    Parse(response.content, read)
    return [json.loads(payload.data) for payload in read.payloads]


async def test_it_shows_payloads_to_the_user_of_this_machine(url: str) -> None:
    """Small, compressed and plain ones; a page of the UI may read the response."""
    large = "mail " * 10_000
    values = [await encoded({"subject": "x"}), await encoded(large), await encoded("plain", None)]
    response = await ask(url, *values)
    assert shown(response) == [{"subject": "x"}, large, "plain"]
    assert response.headers["access-control-allow-origin"] == UI
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["cache-control"] == "no-store"


async def test_what_cannot_be_read_says_why(url: str) -> None:
    """A payload of another key and a changed one become notes beside the others."""
    foreign = await encoded("x", KeyRing([Key.generate()]))
    changed = await encoded("x")
    changed.data = changed.data[:-1] + bytes([changed.data[-1] ^ 1])
    values = shown(await ask(url, foreign, await encoded("y"), changed))
    assert "a key that is not in the key ring" in values[0]
    assert values[1] == "y"
    assert "was changed" in values[2]


@pytest.mark.parametrize("url", [os.geteuid() + 1, None], indirect=True, ids=["other", "unknown"])
async def test_nobody_else_is_shown_anything(url: str) -> None:
    """Another user of the machine, and whoever is not known, with any cookie."""
    for cookie in ("", "clawback-codec=9999999999.00", "clawback-codec=", "other=1"):
        response = await ask(url, await encoded("secret"), cookie=cookie)
        assert response.status_code == 401
        assert "secret" not in response.text


@asynccontextmanager
async def with_tokens(issuer: str, user: int | None = None) -> AsyncIterator[str]:
    """A codec server of an installation with an identity provider, which meets this user."""
    mapping = RoleMapping(groups={Role.VIEWER: ("soc",)})
    tokens = BearerTokens(ClientSettings(issuer, CLIENT, mapping=mapping), CLIENT)
    server = CodecServer(KEYS, frozenset({UI}), "prod", gate_for(user, tokens))
    async with server.serve("127.0.0.1", 0) as address:
        yield address


async def test_people_who_signed_in_are_shown_payloads() -> None:
    """The Temporal UI passes a token of oidc-provider-mock, from wherever they are."""
    process, issuer = await mock_provider()
    try:
        async with open_http() as http, with_tokens(issuer) as url:
            client = ClientSettings(issuer, CLIENT, client_secret=SecretStr("not-checked"))
            provider = await OidcProvider.discover(http, client)
            begun = provider.begin_sign_in("http://127.0.0.1:8233/auth/sso/callback")
            answer = await http.post(begun.url, data={"sub": "ana"})
            back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
            _, tokens = await provider.finish_sign_in(begun, back["state"], back["code"])

            value = await encoded("secret")
            signed_in = await ask(url, value, authorization=f"Bearer {tokens.id_token}")
            assert shown(signed_in) == ["secret"]
            assert (await ask(url, value)).status_code == 401
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, None),
        ({"aud": ["other", CLIENT], "azp": "temporal-ui"}, None),
        ({"aud": "other"}, "is refused"),
        ({"iss": "https://elsewhere.test"}, "is refused"),
        ({"exp": 1}, "is refused"),
        ({"groups": ["guests"]}, "ana@corp.example has no role here"),
    ],
)
async def test_a_token_must_be_for_us_and_give_a_role(
    claims: dict[str, Any], reason: str | None
) -> None:
    """It decides alone: a person without a role is refused as the user of this machine, too."""
    with local_provider() as provider:
        async with with_tokens(provider.url, os.geteuid()) as url:
            token = provider.token(**claims)
            response = await ask(url, await encoded("x"), authorization=f"Bearer {token}")
    assert response.status_code == (200 if reason is None else 401)
    assert reason is None or reason in response.text


async def test_a_provider_that_is_down_lets_nobody_in() -> None:
    """It is not asked again for every token; without one, the user of this machine is known."""
    with local_provider() as provider:
        provider.is_down = True
        async with with_tokens(provider.url, os.geteuid()) as url:
            value = await encoded("x")
            for _ in range(3):
                response = await ask(url, value, authorization="Bearer x")
                assert response.status_code == 401
            assert shown(await ask(url, value)) == ["x"]
        assert len(provider.requests) == 1


@pytest.mark.parametrize("url", [None], indirect=True)
async def test_a_link_signs_a_browser_in_once(url: str) -> None:
    """Looking at the link does not use it up; the cookie is out of reach for scripts."""
    link = f"{url}/sign-in?link={Links(KEYS).create()}"
    async with httpx.AsyncClient() as client:
        assert "Sign in" in (await client.get(link)).text
        assert "set-cookie" not in (await client.head(link)).headers
        opened = await client.post(link)
        assert opened.status_code == 200
        cookie = opened.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
        assert (await client.post(link)).status_code == 401
        assert (await client.post(link[:-1])).status_code == 401

    response = await ask(url, await encoded("mine"), cookie=cookie.partition(";")[0])
    assert shown(response) == ["mine"]


async def test_it_listens_at_addresses_of_ipv6() -> None:
    """Without its setting, every browser of this machine would have to use IPv4."""
    server = CodecServer(KEYS, frozenset({UI}), "prod", gate_for(os.geteuid()))
    async with server.serve("::1", 0) as url, httpx.AsyncClient() as client:
        assert url.startswith("http://[::1]:")
        assert "You are signed in" in (await client.get(url)).text


@pytest.mark.parametrize("url", [os.geteuid() + 1], indirect=True)
async def test_a_stolen_cookie_is_no_good_for_another_user(url: str) -> None:
    """Browsers give the cookies of one port to every port of the machine."""
    async with httpx.AsyncClient() as client:
        opened = await client.post(f"{url}/sign-in?link={Links(KEYS).create()}")
    cookie = opened.headers["set-cookie"].partition(";")[0]
    response = await ask(url, await encoded("secret"), cookie=cookie)
    assert response.status_code == 401


def test_links_and_sessions_end() -> None:
    """A link after five minutes or a restart, a session after twelve hours, both with their key."""
    time = 1_000_000.0

    def now() -> float:
        return time

    links = Links(KEYS, now)
    late, early = links.create(), links.create()
    assert links.open_session(early) is not None
    assert Links(KeyRing([Key.generate()]), now).open_session(late) is None
    time += 1
    assert Links(KEYS, now).open_session(late) is None
    time += 300
    assert links.open_session(late) is None
    assert links.open_session("") is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"x_namespace": "other"}, 403),
        ({"content_type": "text/plain"}, 415),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else str(value),
)
async def test_pages_of_others_are_refused(url: str, headers: dict[str, str], status: int) -> None:
    """Even in the browser of a person who may read everything."""
    response = await ask(url, await encoded("secret"), **headers)
    assert response.status_code == status
    if headers.get("origin"):
        assert "access-control-allow-origin" not in response.headers


async def test_a_preflight_is_answered_for_the_ui_only(url: str) -> None:
    """The browser asks first, because of the headers that the UI sends."""
    async with httpx.AsyncClient() as client:
        for origin, status in ((UI, 204), ("http://evil.test", 403)):
            response = await client.options(f"{url}/decode", headers={"origin": origin})
            assert response.status_code == status
            allowed = response.headers.get("access-control-allow-headers", "")
            assert ("x-namespace" in allowed) is (origin == UI)


async def test_it_never_encodes(url: str) -> None:
    """With that, a browser could speak for a worker."""
    async with httpx.AsyncClient() as client:
        for path in ("encode", "download", "decode"):
            response = await client.request("GET" if path == "decode" else "POST", f"{url}/{path}")
            assert response.status_code in {404, 405}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"payloads": 3}', b"[" * 200_000, b'{"payloads":' * 100_000, b"\xff"],
    ids=["nothing", "half", "number", "deep", "deeper", "bytes"],
)
async def test_other_bodies_are_refused(url: str, body: bytes) -> None:
    """Whatever it is, the server goes on."""
    async with httpx.AsyncClient() as client:
        headers = {"origin": UI, "content-type": "application/json"}
        response = await client.post(f"{url}/decode", content=body, headers=headers)
        assert response.status_code == 400


async def test_sizes_are_bounded(url: str) -> None:
    """A large request, and small ones that would become a large response."""
    async with httpx.AsyncClient() as client:
        headers = {"content-type": "application/json"}
        response = await client.post(f"{url}/decode", content=bytes(MAX_BODY + 1), headers=headers)
        assert response.status_code == 413
    bomb = await encoded(" " * (MAX_SHOWN // 3))
    assert len(bomb.data) < 1_000_000
    response = await ask(url, bomb, bomb, bomb)
    assert response.status_code == 413


def test_the_kernel_knows_the_user_of_a_connection() -> None:
    """Our own connection is ours; nobody has one that does not exist."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        accepted, address = listening.accept()
        with accepted:
            assert find_user(address, accepted.getsockname()) == os.geteuid()
            assert find_user(("127.0.0.1", 1), accepted.getsockname()) is None


@pytest.mark.parametrize(
    ("host", "mapped", "written"),
    [
        ("127.0.0.1", False, "0100007F:1F90"),
        ("127.0.0.1", True, "0000000000000000FFFF00000100007F:1F90"),
        ("::1", False, "00000000000000000000000001000000:1F90"),
    ],
    ids=["IPv4", "mapped", "IPv6"],
)
def test_addresses_are_written_as_the_kernel_does(host: str, mapped: bool, written: str) -> None:  # noqa: FBT001 - a parameter of the table
    """A client of IPv6 may reach a server of IPv4."""
    assert _encode(host, 8080, mapped) == written


ASKS_AS_NOBODY = """
import encodings.idna, os, socket, sys
os.setuid(65534)
body = b"POST /decode HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    connection.sendall(body + b"Content-Length: 2\\r\\n\\r\\n{}")
    print(connection.recv(12).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_of_this_machine_is_refused(url: str) -> None:
    """A real process of another user asks, with all that the UI would send."""
    command = [sys.executable, "-c", ASKS_AS_NOBODY, url.rpartition(":")[2]]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "HTTP/1.1 401", done.stderr
    assert (await ask(url)).status_code == 200
