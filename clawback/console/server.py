"""Serves the console over HTTP until it is told to stop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

_MOST_CONNECTIONS = 1_000
_KEEP_ALIVE = 30


@asynccontextmanager
async def serve(app: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve an application until the block is left; yield the URL. Port 0 selects a free port.

    Raises:
        OSError: the address cannot be bound.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    server = _Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            # Who asks is found by the connection, never by what a header says.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=2,
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}"
    finally:
        app.state.services.closing.set()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn's server without signal handlers: they are those of the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
