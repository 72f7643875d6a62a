"""Serves an application on a real port of this machine, in the loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """uvicorn without signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to the test run."""
        yield


@asynccontextmanager
async def serve(build: Callable[[str], ASGIApp]) -> AsyncIterator[str]:
    """Serve what `build` makes for an address until the block is left; yield the URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        build(address),
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://{address}"
    finally:
        server.should_exit = True
        await serving
