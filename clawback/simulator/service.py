"""The simulator as a whole: the application, and serving it on a port.

PortTaken
└── the port cannot be listened on; the text says which and why
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clawback.simulator.account_state import AccountState
from clawback.simulator.bulk_jobs import Jobs
from clawback.simulator.containment_endpoints import Containment
from clawback.simulator.control_endpoints import PREFIX, Control
from clawback.simulator.corpus import Line, parse_line, read_corpus
from clawback.simulator.domain_endpoints import Domains
from clawback.simulator.dropped_connections import CuttingProtocol
from clawback.simulator.envelopes import API, NO_ROUTE, WRONG_METHOD, Refusal, fail
from clawback.simulator.investigate_endpoints import Investigate
from clawback.simulator.mail_stream import drip
from clawback.simulator.message_contents import Contents
from clawback.simulator.middleware import Middleware
from clawback.simulator.options import SimulatorOptions
from clawback.simulator.policy_endpoints import Policies
from clawback.simulator.policy_kinds import RESOURCES
from clawback.simulator.report_endpoints import Reports
from clawback.simulator.submission_endpoints import Submitting

_KEEP_ALIVE = 75
_NO_METHOD = 405


class PortTaken(OSError):
    """The port cannot be listened on."""


class Simulator:
    """An Email Security API in memory.

    `app` is the ASGI application, `routes` are those of the API in it; `serve` puts it on a port.
    `world` is its state, for tests that look rather than ask.
    """

    def __init__(self, options: SimulatorOptions | None = None) -> None:
        self.options = options or SimulatorOptions()
        self.world = AccountState(self.options)
        self._closing = asyncio.Event()
        containment = Containment(self.world)
        jobs = Jobs(self.world, containment)
        self.routes = _api_routes(self.world, containment, jobs)
        gate = Middleware(self.world, _starlette(self.routes), self.routes, self._closing)
        self.app: ASGIApp = _Switch(_starlette(Control(self.world).routes()), gate, jobs)

    def load(self, *paths: Path) -> int:
        """Load corpora, all or none. Gives the number of records.

        Raises:
            CorpusError: a file cannot be read, or has a line that is no record.

        """
        return self.world.take([line for path in paths for line in read_corpus(path)])

    def take(self, lines: Iterable[Mapping[str, Any]]) -> int:
        """Take corpus lines in, all or none: `{"message": …, "detections": …}`.

        Gives the number of records.

        Raises:
            ValueError: one is no record.

        """
        return self.world.take([parse_line(line) for line in lines])

    @contextlib.asynccontextmanager
    async def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        dripping: Sequence[Line] = (),
        every: timedelta | None = None,
    ) -> AsyncIterator[str]:
        """Serve until the block is left.

        Gives the base URL, such as `http://127.0.0.1:8080/client/v4`. Port 0 takes a free one.

        With `dripping`, those lines keep arriving, one `every` so often.

        Raises:
            PortTaken: the port cannot be listened on.

        """
        listening = _listen(host, port)
        server = _Server(
            uvicorn.Config(
                self.app,
                http=CuttingProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve([listening]))
        feeding = (
            asyncio.create_task(drip(self.world, dripping, every)) if dripping and every else None
        )
        try:
            await server.up.wait()
            yield f"http://{host}:{listening.getsockname()[1]}{API}"
        finally:
            self._closing.set()
            server.stop()
            if feeding is not None:
                feeding.cancel()
            await asyncio.gather(serving, *filter(None, [feeding]), return_exceptions=True)
            self._closing.clear()


class _Server(uvicorn.Server):
    """uvicorn's server that leaves signals to the program, says when it is up, and stops at once when told to."""

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
        if self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self.server_state.connections:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Endpoints(Protocol):
    def routes(self) -> list[Route]: ...


class _Switch:
    """Sends `/_sim/` to the controls and everything else through the gate, after the jobs have been brought up to date."""

    def __init__(self, control: ASGIApp, gate: ASGIApp, jobs: Jobs) -> None:
        self._control = control
        self._gate = gate
        self._jobs = jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the simulator speaks HTTP only")
        self._jobs.advance()
        behind = scope["path"] == PREFIX or scope["path"].startswith(PREFIX + "/")
        await (self._control if behind else self._gate)(scope, receive, send)


def _api_routes(world: AccountState, containment: Containment, jobs: Jobs) -> list[Route]:
    """Every route of the API; fixed names come before parameters."""
    policies = [Policies(world, resource) for resource in RESOURCES]
    parts: Sequence[_Endpoints] = (
        containment,
        jobs,
        Contents(world),
        Reports(world),
        Submitting(world),
        *policies,
        Domains(world),
        Investigate(world),
    )
    return [route for part in parts for route in part.routes()]


def _starlette(routes: Sequence[Route]) -> Starlette:
    return Starlette(
        routes=list(routes), exception_handlers={Refusal: _refused, HTTPException: _unrouted}
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - for mypy
    return fail(error)


async def _unrouted(_: Request, error: Exception) -> Response:
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
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return listening
