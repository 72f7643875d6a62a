"""The simulator: its ASGI application, and serving it on a port.

PortUnavailable   the port cannot be bound; the message says which and why
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import NAMESPACE_DNS, uuid5

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clawback.simulator.account_state import AccountState
from clawback.simulator.bulk_job_endpoints import BulkJobEndpoints
from clawback.simulator.containment_endpoints import ContainmentEndpoints
from clawback.simulator.control_endpoints import PREFIX, ControlEndpoints
from clawback.simulator.corpus import Line, parse_line
from clawback.simulator.domain_endpoints import DomainEndpoints
from clawback.simulator.dropped_connections import DroppableProtocol
from clawback.simulator.investigate_endpoints import InvestigateEndpoints
from clawback.simulator.mail_stream import stream_mail
from clawback.simulator.middleware import Middleware
from clawback.simulator.options import SimulatorOptions
from clawback.simulator.policy_endpoints import PolicyEndpoints
from clawback.simulator.policy_kinds import DOMAINS, RESOURCES
from clawback.simulator.report_endpoints import ReportEndpoints
from clawback.simulator.responses import API, NO_ROUTE, WRONG_METHOD, Refusal, fail

_KEEP_ALIVE = 75
_NO_METHOD = 405


class PortUnavailable(OSError):
    """The port cannot be bound."""


class Simulator:
    """An Email Security API in memory.

    `app` is the ASGI application, `routes` are the routes of the API in it; `serve` binds a port.
    `account` is the state, which tests may inspect and change.
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self.options = options or SimulatorOptions()
        self.account = AccountState(self.options)
        self._closing = asyncio.Event()
        containment = ContainmentEndpoints(self.account)
        jobs = BulkJobEndpoints(self.account, containment)
        self.routes = _api_routes(self.account, containment, jobs)
        control = _starlette(ControlEndpoints(self.account).routes())
        api = Middleware(self.account, _starlette(self.routes), self.routes, self._closing)
        self.app: ASGIApp = _Dispatcher(control, api, jobs)

    def add(self, lines: Iterable[Mapping[str, Any]]) -> int:
        """Add corpus lines such as `{"message": …, "detections": …}`, all or none.

        Returns the number of records.

        Raises:
            ValueError: a line is not a record.

        """
        return self.account.add([parse_line(line) for line in lines])

    def add_domain(self, name: str, provider: str | None = None) -> None:
        """Add a verified domain of the account, as if it had always been there.

        `provider` is that of its mailboxes, such as `Google`; with one, the domain is integrated.
        """
        lists: dict[str, list[str]] = {"drop_dispositions": [], "ip_restrictions": []}
        fields = {"domain": name, "allowed_delivery_modes": ["API"], "regions": ["GLOBAL"], **lists}
        domain = PolicyEndpoints(self.account, DOMAINS).build(fields)
        integration = None if provider is None else str(uuid5(NAMESPACE_DNS, name))
        domain.update(status="ACTIVE", inbox_provider=provider, integration_id=integration)

    @contextlib.asynccontextmanager
    async def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        stream: Sequence[Line] = (),
        interval: timedelta | None = None,
    ) -> AsyncIterator[str]:
        """Serve until the block is left. Yields the base URL: `http://127.0.0.1:8080/client/v4`.

        Args:
            port: 0 selects a free port.
            host: the address to bind.
            stream: lines that keep arriving, if `interval` is given.
            interval: the time between two of them.

        Raises:
            PortUnavailable: the port cannot be bound.

        """
        listening = _listen(host, port)
        server = _Server(
            uvicorn.Config(
                self.app,
                http=DroppableProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve([listening]))
        streaming = (
            asyncio.create_task(stream_mail(self.account, stream, interval))
            if stream and interval
            else None
        )

        try:
            await server.up.wait()
            yield f"http://{host}:{listening.getsockname()[1]}{API}"
        finally:
            self._closing.set()
            server.stop()
            if streaming is not None:
                streaming.cancel()
            await asyncio.gather(serving, *filter(None, [streaming]), return_exceptions=True)
            self._closing.clear()


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers, with an event at start, and an immediate stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 10
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Only requests in progress are worth the waits of uvicorn's own shutdown.
        if self.server_state.tasks:
            await super().shutdown(sockets)
            return

        for server in self.servers:
            server.close()

        for connection in list(self.server_state.connections):
            connection.shutdown()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn offers no event
                    await asyncio.sleep(0.001)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Endpoints(Protocol):
    def routes(self) -> list[Route]: ...


class _Dispatcher:
    """Sends `/_sim/` to the control endpoints and the rest to the API. Advances the jobs first."""

    def __init__(self, control: ASGIApp, api: ASGIApp, jobs: BulkJobEndpoints) -> None:
        self._control = control
        self._api = api
        self._jobs = jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the simulator supports HTTP only")
        # Jobs have no task of their own: they come to the current time before anybody looks.
        self._jobs.advance()
        is_control = scope["path"] == PREFIX or scope["path"].startswith(PREFIX + "/")
        await (self._control if is_control else self._api)(scope, receive, send)


def _api_routes(
    account: AccountState, containment: ContainmentEndpoints, jobs: BulkJobEndpoints
) -> list[Route]:
    """Return all routes of the API. Fixed names precede parameters, which would match them."""
    policies = [PolicyEndpoints(account, resource) for resource in RESOURCES]
    parts: Sequence[_Endpoints] = (
        containment,
        jobs,
        ReportEndpoints(account),
        *policies,
        DomainEndpoints(account),
        InvestigateEndpoints(account),
    )
    return [route for part in parts for route in part.routes()]


def _starlette(routes: Sequence[Route]) -> Starlette:
    return Starlette(
        routes=list(routes),
        exception_handlers={Refusal: _handle_refusal, HTTPException: _handle_unrouted},
    )


async def _handle_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - for mypy
    return fail(error)


async def _handle_unrouted(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == _NO_METHOD:
        return fail(Refusal(_NO_METHOD, WRONG_METHOD, "Method not allowed for this URI"))
    return fail(Refusal(404, NO_ROUTE, "No route for the URI"))


def _listen(host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the socket names its protocol; with it every
    # answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise PortUnavailable(
            f"cannot listen on {host}:{port}: {error.strerror or error}"
        ) from None

    return listening
