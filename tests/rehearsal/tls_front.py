"""What stands in front of a Temporal server in production: TLS, client certificates, an API key."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hpack import Decoder

from tests.certificates import Issued, issue

_PREFACE = 24
_FRAME = 9
_HEADERS, _CONTINUATION = 1, 9
_END_HEADERS, _PADDED, _PRIORITY = 4, 8, 32
_PRIORITY_BYTES = 5


@dataclass
class Front:
    """Where it listens, and what a client must have.

    `connections` are those that are open, by the serial number of the client's certificate. A
    certificate whose number is among `revoked` is refused.
    """

    folder: Path
    authority: Issued
    client: Issued
    key: str
    address: str = ""
    connections: list[tuple[int, asyncio.StreamWriter]] = field(default_factory=list)
    revoked: set[int] = field(default_factory=set)

    @property
    def serials(self) -> set[int]:
        """The serial numbers of the certificates of all open connections."""
        return {serial for serial, _ in self.connections}

    def renew(self, by: Issued | None = None) -> int:
        """Write a new certificate and key into the files of the client; its serial number."""
        self.client = issue(self.folder, "client", by=by or self.authority)
        return self.client.certificate.serial_number

    def revoke(self, serial: int) -> None:
        """Refuse a certificate from now on, and end its connections."""
        self.revoked.add(serial)
        for number, writer in self.connections:
            if number == serial:
                writer.close()

    def settings(self, key: str) -> dict[str, str]:
        """The settings of a client with an API key."""
        return {
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_API_KEY": key,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.authority.files[0]),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.client.files[0]),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.client.files[1]),
        }


class HeaderReader:
    """Reads the headers of the requests in one direction of an HTTP/2 connection."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._buffer = b""
        self._block = b""
        self._skip = _PREFACE

    def feed(self, data: bytes) -> Iterator[dict[str, str]]:
        """Take bytes; yield the headers of each request that is complete."""
        self._buffer += data
        self._buffer, self._skip = (
            self._buffer[self._skip :],
            max(0, self._skip - len(self._buffer)),
        )
        while len(self._buffer) >= _FRAME:
            length = int.from_bytes(self._buffer[:3])
            if len(self._buffer) < _FRAME + length:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            payload = self._buffer[_FRAME : _FRAME + length]
            self._buffer = self._buffer[_FRAME + length :]
            if kind == _HEADERS:
                self._block = _strip(payload, flags)
            elif kind == _CONTINUATION:
                self._block += payload
            else:
                continue
            if flags & _END_HEADERS:
                yield {str(name): str(value) for name, value in self._decoder.decode(self._block)}


def _strip(payload: bytes, flags: int) -> bytes:
    padding = payload[0] if flags & _PADDED else 0
    start = bool(flags & _PADDED) + (_PRIORITY_BYTES if flags & _PRIORITY else 0)
    return payload[start : len(payload) - padding]


@asynccontextmanager
async def standing_before(target: str, folder: Path, key: str) -> AsyncIterator[Front]:
    """Forward to a server whoever has a certificate of the authority and sends the key."""
    authority = issue(folder, "authority")
    server = issue(folder, "server", by=authority)
    front = Front(folder, authority, issue(folder, "client", by=authority), key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.files[0])
    context.load_cert_chain(*server.files)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serial = int(writer.get_extra_info("peercert")["serialNumber"], 16)
        if serial in front.revoked:
            writer.close()
            return
        there, back = await asyncio.open_connection(host, int(port))
        front.connections.append(connection := (serial, writer))
        headers = HeaderReader()

        def is_allowed(data: bytes) -> bool:
            allowed = f"Bearer {front.key}"
            return all(one.get("authorization") == allowed for one in headers.feed(data))

        async def pump_requests() -> None:
            while (data := await reader.read(65536)) and is_allowed(data):
                back.write(data)
                await back.drain()

        async def pump_answers() -> None:
            while data := await there.read(65536):
                writer.write(data)
                await writer.drain()

        pumps = [asyncio.ensure_future(pump_requests()), asyncio.ensure_future(pump_answers())]
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for one in pumps:
            one.cancel()
        front.connections.remove(connection)
        back.close()
        writer.close()

    listening = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    async with listening:
        front.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield front
