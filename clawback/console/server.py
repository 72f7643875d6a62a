"""Serves the console over HTTP until it is told to stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from clawback.web_server import ServerLimits, serve_app

_LIMITS = ServerLimits(connections=1_000, keep_alive=30, graceful_shutdown=2)


@asynccontextmanager
async def serve(app: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve the console until the block is left; yield the URL. Port 0 selects a free port.

    Raises:
        OSError: the address cannot be bound.

    """
    # Event streams end by themselves; the server would wait for them.
    stop = app.state.services.closing.set
    async with serve_app(app, host, port, _LIMITS, lifespan="on", before_stop=stop) as url:
        yield url
