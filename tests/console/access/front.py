"""The console's front door on a real port, with pages that say who sees them, and a browser."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from temporalio.client import Client

from clawback.audit import AuditLog
from clawback.console.access.authenticator import LocalUser
from clawback.console.access.front_door import FrontDoor, open_front_door
from clawback.console.access.gate import SessionGate, require_fresh
from clawback.console.access.session_cookie import Session
from clawback.console.app import build_app
from clawback.console.page_routes import Page, RateClass
from clawback.console.pages.browser_settings import SETTINGS_PAGES
from clawback.console.services import Services, visitor_of
from clawback.identity.access_list import RevokedPerson
from clawback.local import free_port
from clawback.model.identity import Identity, Role
from clawback.settings import Settings
from clawback.temporal.key_ring import Key, KeyRing
from tests.console.access.serving import serve
from tests.identity.providers import CLIENT, LocalProvider

RING = KeyRing([Key.generate()])
GROUPS = {"identity_viewers": "guests", "identity_analysts": "soc", "identity_operators": "leads"}


def provider_settings(provider: LocalProvider, **others: Any) -> dict[str, Any]:
    """Settings of an installation whose people sign in at a provider."""
    return {
        "identity_issuer": provider.url,
        "identity_client_id": CLIENT,
        **GROUPS,
        **others,
    }


@dataclass
class Clock:
    """The clock of the console, which a test moves."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()


@dataclass
class RevokedInProcess:
    """Signed-out sessions without a server; the shared ones have a test of their own."""

    revoked: set[str] = field(default_factory=set)
    people: list[RevokedPerson] = field(default_factory=list)
    is_stale: bool = False

    def is_revoked(self, session: Session) -> bool:
        return session.id in self.revoked or self.has_revoked(session.identity, session.issued_at)

    def has_revoked(self, identity: Identity, began: datetime) -> bool:
        return any(one.covers(identity, began) for one in self.people)

    async def revoke(self, session: Session) -> None:
        self.revoked.add(session.id)


@dataclass
class Front:
    """A running console."""

    url: str
    door: FrontDoor
    clock: Clock
    revocations: RevokedInProcess
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets slow pages end."""

    def browser(self) -> "Browser":
        """A browser without cookies."""
        return Browser(self.url)


class Browser:
    """Asks as browsers do: keeps cookies, and says where a form comes from."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = httpx.Cookies()

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page; redirects are not followed."""
        return await self._send("GET", path, headers)

    async def post(
        self, path: str, csrf: str | None = None, *, origin: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form from one of the console's pages, or from those of another site."""
        known = {"origin": origin or self.url, **headers}
        form = {} if csrf is None else {"csrf": csrf}
        return await self._send("POST", path, known, form)

    async def csrf(self, path: str = "/") -> str:
        """The token that the forms of a page have."""
        return str((await self.get(path)).json()["csrf"])

    async def _send(
        self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None = None
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(cookies=self.cookies, timeout=60) as http:
            response = await http.request(
                method, f"{self.url}{path}", headers=named, data=form or None
            )
            self.cookies = http.cookies
        return response

    async def begin(self, path: str = "/auth/start") -> dict[str, str]:
        """Begin to sign in; what the console asks the provider for."""
        response = await self.get(path)
        assert response.status_code == 303, response.text
        query = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def sign_in(self, path: str = "/auth/start") -> httpx.Response:
        """Sign in at the `LocalProvider`, which takes the nonce as its code."""
        asked = await self.begin(path)
        return await self.finish(asked["state"], asked["nonce"])

    async def finish(self, state: str, code: str) -> httpx.Response:
        """Come back from the provider."""
        return await self.get(f"/auth/callback?state={state}&code={code}")


def leads_to(response: httpx.Response) -> str:
    """Where a small page makes the browser go at once."""
    assert response.status_code == 200, response.text
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', response.text)
    assert found, response.text
    return html.unescape(found[1])


async def show(request: Request) -> JSONResponse:
    """Show who sees a page."""
    visitor = visitor_of(request)
    return JSONResponse(
        {
            "who": visitor.identity.subject,
            "roles": visitor.identity.roles,
            "via": visitor.via,
            "csrf": visitor.csrf,
            "session": visitor.session,
        }
    )


def pages(front: Callable[[], Front]) -> tuple[Page, ...]:
    """Pages of every kind."""

    async def resume(request: Request) -> Response:
        require_fresh(visitor_of(request), front().clock.now)
        return await show(request)

    async def explain(request: Request) -> Response:
        await front().release.wait()
        return await show(request)

    async def stream(_: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            yield "event: hello\n\n"
            await front().release.wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    return (
        Page("/", show, Role.VIEWER),
        Page("/cases/{case}", show, Role.VIEWER),
        Page("/search", show, Role.VIEWER, RateClass.SEARCH, methods=("POST",)),
        Page("/decide", show, Role.ANALYST, RateClass.DECISION, methods=("POST",)),
        Page("/resume", resume, Role.OPERATOR, RateClass.DECISION, methods=("POST",)),
        Page("/explain", explain, Role.VIEWER, RateClass.COSTLY),
        Page("/explain-now", show, Role.VIEWER, RateClass.COSTLY),
        Page("/events", stream, Role.VIEWER, RateClass.STREAM),
    )


def api_routes(gate: SessionGate) -> list[Route]:
    """An operation of the HTTP API."""

    async def me(request: Request) -> Response:
        visitor = await gate.read_session(request)
        return JSONResponse({"who": visitor and visitor.identity.subject})

    return [Route("/api/v1/me", me, methods=["GET", "POST"])]


@asynccontextmanager
async def opened(
    settings: dict[str, Any],
    *,
    keys: KeyRing | None = RING,
    local: LocalUser | None = None,
    audit: AuditLog | None = None,
) -> AsyncIterator[Front]:
    """Open the console of an installation with these settings."""
    clock, revoked = Clock(), RevokedInProcess()
    read, address = Settings(**settings), f"127.0.0.1:{free_port()}"
    client = await Client.connect("127.0.0.1:1", lazy=True)
    fronts: list[Front] = []
    async with open_front_door(
        read,
        keys,
        revoked,
        address=address,
        now=clock,
        seconds=clock.seconds,
        local=local,
        audit=audit,
    ) as door:
        app = build_app(
            Services(read, client, now=clock),
            door.gate,
            [*door.pages, *pages(lambda: fronts[0]), *SETTINGS_PAGES],
            api_routes(door.gate),
            door.site,
        )
        async with serve(app, address) as url:
            front = Front(url, door, clock, revoked)
            fronts.append(front)
            try:
                yield front
            finally:
                front.release.set()


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem details of an answer."""
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.text)
    return found
