"""What receives notifications and audit lines over HTTP, as well or as badly as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawback.local import free_port


class Receiver:
    """Answers every request with `status`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status = 204

    @property
    def url(self) -> str:
        """The address to send to."""
        return f"http://127.0.0.1:{self.port}/"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        """Receive until the block is left."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A status and the end of the connection are all that a sender wants.
        await reader.read(64 * 1024)
        answer = f"HTTP/1.1 {self.status} Bench\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()
