"""`timeout`: no response at all."""

import asyncio
from typing import ClassVar

from clawback.simulator.dropped_connections import wait_for_disconnect
from clawback.simulator.faults.base import Exchange, RequestFault


class Timeout(RequestFault):
    """Holds the request until the client gives up or the time is over."""

    name: ClassVar[str] = "timeout"
    description: ClassVar[str] = "no response, then the connection closes; not executed"
    seconds: ClassVar[float] = 25.0
    seconds_meaning: ClassVar[str | None] = "how long the request is held"

    async def apply(self, exchange: Exchange, seconds: float) -> None:
        disconnected = asyncio.create_task(wait_for_disconnect(exchange.receive))
        elapsed = asyncio.create_task(exchange.pause(seconds))
        await asyncio.wait({disconnected, elapsed}, return_when=asyncio.FIRST_COMPLETED)

        for task in (disconnected, elapsed):
            task.cancel()

        await asyncio.gather(disconnected, elapsed, return_exceptions=True)
        await exchange.drop(is_abrupt=False)
