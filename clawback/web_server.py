"""Serves an ASGI application with uvicorn until a block is left: the codec server, the console."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Literal

import uvicorn
from starlette.applications import Starlette

from clawback.listening import open_listener


@dataclass(frozen=True)
class ServerLimits:
    """How many connections there may be, and for how many seconds idle and stopping ones stay."""

    connections: int
    keep_alive: int
    graceful_shutdown: int


@asynccontextmanager
async def serve_app(  # noqa: PLR0913 - what a server is told
    app: Starlette,
    host: str,
    port: int,
    limits: ServerLimits,
    *,
    lifespan: Literal["on", "off"] = "off",
    before_stop: Callable[[], None] = lambda: None,
) -> AsyncIterator[str]:
    """Serve until the block is left; yield the URL. Port 0 selects a free port.

    `before_stop` is called before the server waits for open connections.

    Raises:
        OSError: the address cannot be bound.

    """
    listening = open_listener(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan=lifespan,
            log_config=None,
            access_log=False,
            # Who asks is found by the connection, never by what a header says.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=limits.keep_alive,
            timeout_graceful_shutdown=limits.graceful_shutdown,
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}"
    finally:
        before_stop()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers: they are those of the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
