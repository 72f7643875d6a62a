"""Closes connections without a response, for which ASGI has no message.

`DroppableProtocol` adds an extension to the ASGI scope that does it.

ConnectionDropped   there is no connection to close, as with an in-process ASGI transport
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

EXTENSION = "clawback.drop"
# SO_LINGER with a timeout of 0 makes close() send RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionDropped(ConnectionResetError):
    """The simulator dropped the connection without a response."""


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with `scope["extensions"]["clawback.drop"]`."""

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: dict[str, Any],
        _loop: "asyncio.AbstractEventLoop | None" = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._wrapped_app = self.app
        self.app = self._app_with_drop

    async def _app_with_drop(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = self._drop
        await self._wrapped_app(scope, receive, send)

    def _drop(self, *, is_abrupt: bool) -> None:
        if is_abrupt and (sock := self.transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()


async def drop_connection(scope: Scope, receive: Receive, *, is_abrupt: bool) -> None:
    """Close the connection of a request without a response; with a TCP reset if `is_abrupt`.

    Raises:
        ConnectionDropped: there is no connection; an in-process client sees this exception.

    """
    drop: Callable[..., None] | None = scope.get("extensions", {}).get(EXTENSION)
    if drop is None:
        raise ConnectionDropped("the simulator dropped the connection")
    drop(is_abrupt=is_abrupt)
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
