"""What holds for every request before anybody looks at who sends it.

`RequestGuard` answers to known hosts only, takes no request that another site's page made, and
bounds size and time of bodies. It keeps the body for whoever reads the form.
"""

import asyncio
from contextlib import AbstractContextManager, ExitStack
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clawback.console.access.refusals import RequestRefused
from clawback.console.access.site import Site
from clawback.console.error_answers import answer_error

MAX_BODY: Final = 64 * 1024
BODY_SECONDS: Final = 10.0
_STACK: Final = "held"
_COOKIES: Final = "cookies"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestGuard:
    """Refuses requests by host, origin, size and time.

    `open_paths` are for probes, which know only an address.
    """

    def __init__(
        self,
        app: ASGIApp,
        site: Site,
        *,
        open_paths: frozenset[str] = frozenset({"/healthz", "/livez", "/readyz"}),
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app, self._site = app, site
        self._open_paths = open_paths
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        try:
            taken = await self._take(scope, receive)
        except RequestRefused as refused:
            await answer_error(Request(scope), refused)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            with ExitStack() as stack:
                scope["state"][_STACK] = stack
                await self._app(scope, taken, _add_cookies(scope, send))

    async def _take(self, scope: Scope, receive: Receive) -> Receive:
        headers = Headers(scope=scope)
        is_open = scope["path"] in self._open_paths and scope["method"] in SAFE_METHODS
        if not is_open:
            self._check_host(headers)
        if scope["method"] in SAFE_METHODS:
            return receive

        # Whoever has a token put it there: no browser adds one to the request of another page.
        if "authorization" not in headers:
            check_origin(headers, self._site)
        body = await read_body(headers, receive, self._body_seconds)
        return _replay(body, receive)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._site.hosts:
            raise RequestRefused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"The console answers to {' and '.join(sorted(self._site.hosts))} only: open it "
                "there, or set CLAWBACK_CONSOLE_URL to the URL that you use.",
            )


def hold(request: Request, held: AbstractContextManager[None]) -> None:
    """Hold something until the answer to a request is complete."""
    stack: ExitStack = request.scope["state"][_STACK]
    stack.enter_context(held)


def add_cookie(request: Request, header: str) -> None:
    """Send a cookie with the answer to a request; `header` is the value of `Set-Cookie`."""
    request.scope["state"].setdefault(_COOKIES, []).append(header)


def check_origin(headers: Headers, site: Site) -> None:
    """Take a request that changes something from our own pages only.

    Browsers send `Sec-Fetch-Site` or `Origin` with every POST, and no page can change them.

    Raises:
        RequestRefused: it is of a page of another site, or of something that says nothing.

    """
    fetched, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_same = origin is not None and origin.lower() == site.origin(headers.get("host", ""))
    is_ours = is_same if fetched is None else fetched == "same-origin"
    if not is_ours or (origin is not None and not is_same):
        raise RequestRefused(
            HTTPStatus.FORBIDDEN,
            "The request does not come from a page of this console. Programs use /api/v1 with a "
            "token: `clawback tokens create`.",
        )


async def read_body(headers: Headers, receive: Receive, seconds: float) -> bytes:
    """Read a body of at most 64 KiB, in a bounded time.

    Raises:
        RequestRefused: it is larger or slower.
        ClientDisconnect: the connection ended.

    """
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:10]) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in Request({"type": "http"}, receive).stream():
                body += part
                if len(body) > MAX_BODY:
                    raise _too_large()
    except TimeoutError:
        text = f"The request took longer than {seconds:g} s."
        raise RequestRefused(HTTPStatus.REQUEST_TIMEOUT, text) from None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body to the application as if it came now; then wait for the disconnection."""
    parts = [body]

    async def receive_again() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return await receive()

    return receive_again


def _add_cookies(scope: Scope, send: Send) -> Send:
    async def send_with_cookies(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookies = [
                (b"set-cookie", header.encode("latin-1"))
                for header in scope["state"].get(_COOKIES, ())
            ]
            message = {**message, "headers": [*message.get("headers", ()), *cookies]}
        await send(message)

    return send_with_cookies


def _too_large() -> RequestRefused:
    text = f"The request is larger than {MAX_BODY:,} bytes."
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
