"""What every API request passes before and after its endpoint.

In this order: the request log, authentication, the rate limit, faults, permissions. An ASGI
middleware, because faults need the connection and the whole response.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clawback.simulator.account_state import AccountState
from clawback.simulator.faults.base import Exchange
from clawback.simulator.faults.registry import REQUEST_FAULTS
from clawback.simulator.ledger import LoggedRequest
from clawback.simulator.options import TokenScope
from clawback.simulator.responses import AUTHENTICATION, RATE_LIMITED, Refusal, fail

REQUEST = "clawback.request"
"""The key of the ASGI scope that holds the request's sequence number, for the ledger."""


class Middleware:
    """Wraps the application `app`, whose routes are `routes`."""

    def __init__(
        self,
        account: AccountState,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        closing: asyncio.Event,
    ) -> None:
        self._account = account
        self._app = app
        self._routes = routes
        self._closing = closing
        self._faults = {fault.name: fault() for fault in REQUEST_FAULTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and log it, whatever its outcome."""
        query = scope["query_string"].decode("latin-1")
        entry = self._account.requests.begin(
            self._account.now, scope["method"], self._template(scope), scope["path"], query
        )
        scope[REQUEST] = entry.seq
        started = time.monotonic()

        try:
            await self._authenticate(scope, receive, send, entry)
        finally:
            entry.seconds = round(time.monotonic() - started, 6)

    async def _authenticate(
        self, scope: Scope, receive: Receive, send: Send, entry: LoggedRequest
    ) -> None:
        account = self._account
        try:
            token = identify(Headers(scope=scope), account.options.tokens)
        except Refusal as refusal:
            await fail(refusal)(scope, receive, _wrap(send, entry, {}))
            return

        now = account.now.timestamp()
        headers = account.limiter.take(token, now)
        if headers is None:
            blocked = Refusal(
                429, RATE_LIMITED, "Rate limit exceeded; all calls are blocked for a while"
            )
            headers = account.limiter.refusal(token, now)
            await fail(blocked)(scope, receive, _wrap(send, entry, headers))
            return

        exchange = Exchange(
            scope,
            receive,
            _wrap(send, entry, headers),
            entry,
            random=account.faults.random,
            clock=account.options.clock,
            closing=self._closing,
            endpoint=partial(self._execute, scope, receive, token),
        )
        await self._apply_faults(exchange)

    async def _apply_faults(self, exchange: Exchange) -> None:
        sampler = self._account.faults
        for fault_type in sampler.choose():
            fault = self._faults[fault_type.name]
            if fault.applies_to(exchange):
                exchange.entry.fault = fault.name
                await fault.apply(exchange, sampler.rates.of(fault.name).seconds)
                if fault.is_exclusive:
                    return

        # Non-exclusive faults, such as a delay, have happened by now; the request goes on.
        follow_ups = (fault.follow_up(exchange) for fault in self._faults.values())
        response = next(filter(None, follow_ups), None)
        if response is not None:
            await exchange.respond(response)
        else:
            await exchange.endpoint(exchange.send)

    async def _execute(self, scope: Scope, receive: Receive, token: str, send: Send) -> None:
        try:
            # After the faults: a connection that drops does so whatever the token may do.
            check_permission(token, scope["method"], self._account.options.tokens)
        except Refusal as refusal:
            response: Response = fail(refusal)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _template(self, scope: Scope) -> str:
        for route in self._routes:
            if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
                return route.path
        return "(unknown)"


def _wrap(send: Send, entry: LoggedRequest, headers: Mapping[str, str]) -> Send:
    """Return a `send` that adds rate-limit headers and logs the status."""

    async def send_and_log(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
            response_headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in headers.items():
                response_headers.setdefault(name, value)
        await send(message)

    return send_and_log


def identify(headers: Headers, tokens: Mapping[str, TokenScope]) -> str:
    """Return the token of `Authorization: Bearer` or of the legacy headers (reference §1.1).

    Raises:
        Refusal: 401, there is no token or it is unknown.

    """
    token = _bearer_token(headers.get("authorization", "")) or _legacy_key(headers)
    if not token or (tokens and token not in tokens):
        raise Refusal(401, AUTHENTICATION, "Authentication error")
    return token


def check_permission(token: str, method: str, tokens: Mapping[str, TokenScope]) -> None:
    """Check that a token may make such a request: GET needs Read or Write, the rest Write.

    Raises:
        Refusal: 403, it may not.

    """
    scope = tokens.get(token, TokenScope.WRITE)
    needed = "Read" if method in ("GET", "HEAD") else "Write"
    if scope is TokenScope.NONE or (scope is TokenScope.READ and needed == "Write"):
        raise Refusal(
            403, AUTHENTICATION, f"The token lacks the permission Cloud Email Security: {needed}"
        )


def _bearer_token(value: str) -> str:
    kind, _, token = value.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _legacy_key(headers: Headers) -> str:
    return headers.get("x-auth-key", "") if headers.get("x-auth-email") else ""
