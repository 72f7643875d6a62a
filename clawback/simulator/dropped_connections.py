"""Ending a connection without an answer.

What ASGI has no word for, as an extension of the scope that our HTTP protocol offers.

ConnectionDropped
└── raised where there is no connection to cut, as on an in-process ASGI transport
"""

import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

CUT = "clawback.cut"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionDropped(ConnectionResetError):
    """The simulator dropped the connection without an answer."""


class CuttingProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with `scope["extensions"]["clawback.cut"]`.

    A function that ends the connection, with a reset if `abrupt`.
    """

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: dict[str, Any],
        _loop: "asyncio.AbstractEventLoop | None" = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._inner = self.app
        self.app = self._with_cut

    async def _with_cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[CUT] = self._cut
        await self._inner(scope, receive, send)

    def _cut(self, *, abrupt: bool) -> None:
        if abrupt and (sock := self.transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()


async def drop(scope: Scope, receive: Receive, *, abrupt: bool) -> None:
    """End the connection of this request without an answer, and return when it is gone.

    Raises:
        ConnectionDropped: there is no connection; the client of an in-process transport sees this.

    """
    cut: Callable[..., None] | None = scope.get("extensions", {}).get(CUT)
    if cut is None:
        raise ConnectionDropped("the simulator dropped the connection")
    cut(abrupt=abrupt)
    await gone(receive)


async def gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
