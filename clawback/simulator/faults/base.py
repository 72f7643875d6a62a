"""What every fault has, and what it can do with a request."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from clawback.simulator.dropped_connections import drop_connection
from clawback.simulator.ledger import LoggedRequest


class Fault:
    """A way in which the API fails."""

    name: ClassVar[str]
    """Its name in a fault specification and in the request log."""
    description: ClassVar[str]
    """What the client sees, and whether the request was executed."""
    seconds: ClassVar[float] = 0.0
    """The default of the parameter after the colon, if it has one."""
    seconds_meaning: ClassVar[str | None] = None
    """What that parameter is; None if the fault has none."""


class RequestFault(Fault, ABC):
    """A fault of a single request. Instances belong to one simulator and may keep state."""

    is_exclusive: ClassVar[bool] = True
    """Whether at most one such fault happens to a request; their rates add up to at most 1."""

    def applies_to(self, exchange: "Exchange") -> bool:  # noqa: ARG002 - subclasses use it
        """Whether it can happen to this request. If not, the request is executed as usual."""
        return True

    @abstractmethod
    async def apply(self, exchange: "Exchange", seconds: float) -> None:
        """Make the request fail, or delay it.

        Args:
            exchange: the request, which this method must answer or drop if it is exclusive.
            seconds: the parameter of the fault.

        """

    def follow_up(
        self,
        exchange: "Exchange",  # noqa: ARG002 - subclasses use it
    ) -> Response | None:
        """Answer a later request on which the fault still has an effect; None: it has none."""
        return None


@dataclass(slots=True)
class Exchange:
    """One request, as far as a fault may influence it."""

    scope: Scope
    receive: Receive
    send: Send
    """Sends the response, with rate-limit headers, and logs its status."""
    entry: LoggedRequest
    random: Random
    clock: Callable[[], datetime]
    closing: asyncio.Event
    """Set when the simulator stops."""
    endpoint: Callable[[Send], Awaitable[None]]
    """Executes the request and sends the response through the given function."""
    token: str = ""

    @property
    def request(self) -> Request:
        return Request(self.scope)

    async def respond(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)

    async def execute(self) -> bytes:
        """Execute the request and return the body of its response, which is not sent."""
        body = bytearray()

        async def collect(message: Message) -> None:
            body.extend(message.get("body", b""))

        await self.endpoint(collect)
        return bytes(body)

    async def drop(self, *, is_abrupt: bool) -> None:
        """Close the connection without a response; with a TCP reset if `is_abrupt`."""
        await drop_connection(self.scope, self.receive, is_abrupt=is_abrupt)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the simulator stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)

    def flip_coin(self) -> bool:
        return self.random.random() < 0.5  # noqa: PLR2004 - one half
