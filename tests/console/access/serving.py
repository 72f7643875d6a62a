"""Serves an application on a real port of this machine, in the loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
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
async def serve(app: ASGIApp, address: str) -> AsyncIterator[str]:
    """Serve an application at an address of this machine until the block is left."""
    host, _, port = address.rpartition(":")
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve([socket.create_server((host, int(port)))]))
    try:
        yield f"http://{address}"
    finally:
        server.should_exit = True
        await serving
