"""The HTTP side of the codec server: the codec protocol of Temporal, and the sign-in page.

The Temporal UI calls `/decode` from the browser of a person, so a response is for the pages of the
UI only (`Origin`), and for people whom the gate knows. Sizes and times are bounded.
"""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.converter import PayloadCodec

from clawback.codec.display import TOO_LARGE, RequestRefused, decode_body
from clawback.codec.sign_in import COOKIE, SESSION_SECONDS, Gate, build_gate
from clawback.settings import Settings
from clawback.temporal.data_converter import EncryptingCodec
from clawback.temporal.key_ring import KeyRing
from clawback.temporal.live_keys import LiveKeys
from clawback.web_server import ServerLimits, serve_app

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request: base64 of what one response of Temporal holds at most, 4 MiB, and more."""
_BODY_SECONDS = 10.0
_LIMITS = ServerLimits(connections=64, keep_alive=5, graceful_shutdown=1)
_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Origin, Cookie, Authorization",
}


def ui_origins(settings: Settings) -> frozenset[str]:
    """Return the origins of the pages that may ask: those of Temporal's web interface."""
    if settings.temporal_ui is not None:
        parts = urlsplit(settings.temporal_ui)
        return frozenset({f"{parts.scheme}://{parts.netloc}".lower()})
    return frozenset(f"http://{host}:{settings.ui_port}" for host in _LOCAL)


class CodecServer:
    """Decodes payloads of one namespace for the Temporal UI at `origins`."""

    def __init__(
        self,
        keys: KeyRing | LiveKeys,
        origins: frozenset[str],
        namespace: str,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate or build_gate(keys if isinstance(keys, KeyRing) else keys.ring)
        self.links = self._gate.links
        # Of other namespaces the key ring may have keys, too; their people are others.
        self._namespace = namespace
        self._codec: PayloadCodec = EncryptingCodec(keys, accepts_plaintext=True)
        self._origins = origins
        self.app = Starlette(
            routes=[
                Route("/", self._index),
                Route("/decode", self._decode, methods=["POST", "OPTIONS"]),
                Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
            ]
        )

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[str]:
        """Serve until the block is left; yield the URL. Port 0 selects a free port.

        Raises:
            OSError: the address cannot be bound.

        """
        try:
            async with serve_app(self.app, host, port, _LIMITS) as url:
                yield url
        finally:
            await self._gate.close()

    async def _index(self, request: Request) -> Response:
        is_known = await self._gate.find_refusal(request) is None
        known = "You are signed in." if is_known else "You are not."
        text = f"Codec server of clawback, for the Temporal UI. {known}\n"
        return PlainTextResponse(text, headers=_HEADERS)

    async def _decode(self, request: Request) -> Response:
        headers = {**_HEADERS, **self._cross_origin(request)}
        try:
            self._check_origin(request)
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
            await self._check_request(request)
            shown = await decode_body(self._codec, await _read_body(request))
        except RequestRefused as refused:
            return PlainTextResponse(refused.text, refused.status, headers)
        return Response(shown, headers=headers, media_type="application/json")

    def _check_origin(self, request: Request) -> None:
        """Refuse the pages of everybody but the Temporal UI; commands send no origin."""
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            raise RequestRefused(HTTPStatus.FORBIDDEN, "this origin is not the Temporal UI")

    async def _check_request(self, request: Request) -> None:
        if (refusal := await self._gate.find_refusal(request)) is not None:
            raise RequestRefused(HTTPStatus.UNAUTHORIZED, refusal)
        if request.headers.get("x-namespace", self._namespace) != self._namespace:
            text = "this codec server is of another namespace"
            raise RequestRefused(HTTPStatus.FORBIDDEN, text)

        content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content != "application/json":
            raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")

    def _cross_origin(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin", "")
        if origin.lower() not in self._origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "content-type, x-namespace, authorization",
            "Access-Control-Max-Age": "600",
        }

    async def _sign_in(self, request: Request) -> Response:
        link = request.query_params.get("link", "")
        if request.method != "POST":
            # A link that counts once must not be used up by whoever only looks at it.
            return HTMLResponse(_PAGE.format(link=html.escape(link)), headers=_HEADERS)

        session = self.links.open_session(link)
        if session is None:
            text = "this link is used, or too old: `clawback codec --link` prints another\n"
            return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED, _HEADERS)

        response = HTMLResponse(
            _SIGNED_IN.format(ui=html.escape(min(self._origins))), 200, _HEADERS
        )
        response.set_cookie(
            COOKIE,
            session,
            max_age=SESSION_SECONDS,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response


_PAGE = """<!doctype html><title>clawback</title>
<p>Sign in to read payloads in the Temporal UI with this browser, for twelve hours.
<form method="post" action="/sign-in?link={link}"><button>Sign in</button></form>
"""
_SIGNED_IN = """<!doctype html><title>clawback</title>
<p>You are signed in. <a href="{ui}">Open the Temporal UI</a>
"""


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise TOO_LARGE
    except (TimeoutError, ClientDisconnect):
        text = "the request took too long"
        raise RequestRefused(HTTPStatus.REQUEST_TIMEOUT, text) from None
    return bytes(body)
