"""What every API request passes before and after the endpoint.

Authentication, rate limit, faults, permission, and the request log.

An ASGI middleware. It knows no endpoint; a fault is carried out here, where the connection and the
whole answer are at hand.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clawback.simulator.account_state import AccountState
from clawback.simulator.authentication import identify, permit
from clawback.simulator.corruption import malformed, server_error
from clawback.simulator.dropped_connections import drop, gone
from clawback.simulator.envelopes import HOME, RATE_LIMITED, Refusal, cursor_info, fail, succeed
from clawback.simulator.faults import Fault
from clawback.simulator.ledger import Asked

REQUEST = "clawback.request"
"""The key of the scope that holds the request's sequence number, for the ledger."""

_SEARCH = HOME + "/investigate"


@dataclass(slots=True)
class _Call:
    """One request on its way."""

    scope: Scope
    receive: Receive
    send: Send
    entry: Asked
    token: str = ""


class Middleware:
    """Guards the application `inner`, whose routes are `routes`."""

    def __init__(
        self,
        world: AccountState,
        inner: ASGIApp,
        routes: Sequence[BaseRoute],
        closing: asyncio.Event,
    ) -> None:
        self._world = world
        self._inner = inner
        self._routes = routes
        self._closing = closing
        self._searches: dict[str, float] = {}
        self._carry_out: dict[Fault, Callable[[_Call], Awaitable[None]]] = {
            Fault.RATE_LIMITED: self._rate_limited,
            Fault.SERVER_ERROR: self._server_error,
            Fault.TIMEOUT: self._timeout,
            Fault.RESET: self._reset,
            Fault.LOST_ANSWER: self._lost_answer,
            Fault.MALFORMED: self._malformed,
            Fault.SEARCH_202: self._search_202,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it whatever becomes of it."""
        query = scope["query_string"].decode("latin-1")
        template = self._template(scope)
        entry = self._world.requests.begin(
            self._world.now, scope["method"], template, scope["path"], query
        )
        scope[REQUEST] = entry.seq
        started = time.monotonic()
        try:
            await self._pass(_Call(scope, receive, send, entry))
        finally:
            entry.seconds = round(time.monotonic() - started, 6)

    async def _pass(self, call: _Call) -> None:
        world = self._world
        try:
            call.token = identify(Headers(scope=call.scope), world.options.tokens)
        except Refusal as refusal:
            call.send = self._answering(call, {})
            await self._respond(call, fail(refusal))
            return
        now = world.now.timestamp()
        headers = world.limiter.take(call.token, now)
        call.send = self._answering(
            call, world.limiter.refusal(call.token, now) if headers is None else headers
        )
        if headers is None:
            await self._respond(
                call,
                fail(
                    Refusal(
                        429, RATE_LIMITED, "Rate limit exceeded; all calls are blocked for a while"
                    )
                ),
            )
        else:
            await self._admit(call)

    async def _admit(self, call: _Call) -> None:
        """Let the request in, with or without a fault."""
        dice = self._world.dice
        fault, delay = dice.request_fault(), dice.delay()
        if delay:
            call.entry.fault = Fault.SLOW
            await self._pause(delay)
        if fault is None or (fault is Fault.SEARCH_202 and not self._is_new_search(call)):
            await self._execute(call, call.send)
            return
        call.entry.fault = fault
        await self._carry_out[fault](call)

    async def _execute(self, call: _Call, send: Send) -> None:
        try:
            permit(call.token, call.scope["method"], self._world.options.tokens)
        except Refusal as refusal:
            await fail(refusal)(call.scope, call.receive, send)
            return
        search = QueryParams(call.scope["query_string"]).get("search_id")
        ready = self._searches.get(search or "")
        if ready is not None and ready > self._world.now.timestamp():
            await self._unready(call, str(search))(call.scope, call.receive, send)
        else:
            await self._inner(call.scope, call.receive, send)

    async def _rate_limited(self, call: _Call) -> None:
        seconds = max(round(self._world.dice.faults.chance(Fault.RATE_LIMITED).seconds), 0)
        refusal = Refusal(429, RATE_LIMITED, "Too many requests; try again soon")
        await self._respond(call, fail(refusal, {"retry-after": str(seconds)}))

    async def _server_error(self, call: _Call) -> None:
        await self._respond(call, server_error(self._world.dice.random))

    async def _timeout(self, call: _Call) -> None:
        """Hold the request until the client gives up, or for so long; it is never executed."""
        leaving = asyncio.create_task(gone(call.receive))
        pausing = asyncio.create_task(
            self._pause(self._world.dice.faults.chance(Fault.TIMEOUT).seconds)
        )
        await asyncio.wait({leaving, pausing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, pausing):
            task.cancel()
        await asyncio.gather(leaving, pausing, return_exceptions=True)
        await drop(call.scope, call.receive, abrupt=False)

    async def _reset(self, call: _Call) -> None:
        await drop(call.scope, call.receive, abrupt=self._world.dice.random.random() < 0.5)  # noqa: PLR2004

    async def _lost_answer(self, call: _Call) -> None:
        """Execute the request and say nothing.

        Whether the end is abrupt tells the client nothing either.
        """
        await self._executed(call)
        await drop(call.scope, call.receive, abrupt=self._world.dice.random.random() < 0.5)  # noqa: PLR2004

    async def _malformed(self, call: _Call) -> None:
        await self._respond(call, malformed(await self._executed(call), self._world.dice.random))

    async def _search_202(self, call: _Call) -> None:
        search = str(uuid4())
        self._searches[search] = (
            self._world.now.timestamp() + self._world.dice.faults.chance(Fault.SEARCH_202).seconds
        )
        await self._respond(call, self._unready(call, search))

    def _unready(self, call: _Call, search: str) -> Response:
        """The 202 of a search that is still running, with where to ask again.

        As a path or as a whole URL.
        """
        url = Request(call.scope).url.include_query_params(search_id=search)
        whole = self._world.dice.random.random() < 0.5  # noqa: PLR2004
        answer = succeed([], status=202, result_info=cursor_info(0, 20, None, None, lean=False))
        answer.headers["location"] = str(url) if whole else f"{url.path}?{url.query}"
        return answer

    async def _executed(self, call: _Call) -> bytes:
        """Execute the request, keep its answer back and give its body."""
        body = bytearray()

        async def keep(message: Message) -> None:
            body.extend(message.get("body", b""))

        await self._execute(call, keep)
        return bytes(body)

    async def _respond(self, call: _Call, response: Response) -> None:
        await response(call.scope, call.receive, call.send)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the simulator closes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _is_new_search(self, call: _Call) -> bool:
        return (
            call.entry.template == _SEARCH
            and call.scope["method"] == "GET"
            and b"search_id=" not in call.scope["query_string"]
        )

    def _answering(self, call: _Call, headers: dict[str, str]) -> Send:
        """A send that adds the rate headers and notes the status."""
        send = call.send

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.entry.status = message["status"]
                added = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in headers.items():
                    added.setdefault(name, value)
            await send(message)

        return answer

    def _template(self, scope: Scope) -> str:
        for route in self._routes:
            if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
                return route.path
        return "(unknown)"
