"""Collectors on this machine: a syslog server with or without TLS, and an HTTP endpoint."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.certificates import issue
from tests.http_server import serving


def write_certificate(folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path]:
    """Write a self-signed certificate for an address, and its key."""
    return issue(folder, address, address=address).files


@dataclass
class SyslogReceiver:
    """What a syslog server read.

    It resets `resets` connections after a part of a batch, and closes `closes` without reading. One
    that is rude leaves out the end of TLS.
    """

    port: int = 0
    resets: int = 0
    closes: int = 0
    is_rude: bool = False
    read: list[bytes] = field(default_factory=list)


def split_frames(stream: bytes) -> list[bytes]:
    """Split a stream by its octet counts."""
    frames = []
    while stream:
        count, _, rest = stream.partition(b" ")
        frames.append(rest[: int(count)])
        assert len(frames[-1]) == int(count)
        stream = rest[int(count) :]
    return frames


def _take(receiver: SyslogReceiver, connection: socket.socket) -> None:
    if receiver.closes:
        receiver.closes -= 1
        return
    if receiver.resets:
        receiver.resets -= 1
        connection.recv(100)
        # Closing with unread data and without lingering resets the connection.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return
    data = b""
    while part := connection.recv(65_536):
        data += part
    receiver.read += split_frames(data)
    if isinstance(connection, ssl.SSLSocket) and not receiver.is_rude:
        connection.unwrap().close()


@contextmanager
def syslog_receiver(
    certificate: tuple[Path, Path] | None = None,
    *,
    resets: int = 0,
    closes: int = 0,
    is_rude: bool = False,
) -> Iterator[SyslogReceiver]:
    """Serve on a free port, one connection after the other."""
    receiver = SyslogReceiver(resets=resets, closes=closes, is_rude=is_rude)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)

    def serve() -> None:
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) if context else plain as one:
                    _take(receiver, one)
            except OSError:
                plain.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        receiver.port = server.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield receiver
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@dataclass
class HttpReceiver:
    """Answers with `statuses` in order, then with 200; keeps what it accepted."""

    statuses: list[int] = field(default_factory=list)
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    accepted: list[bytes] = field(default_factory=list)


@contextmanager
def http_receiver(*statuses: int) -> Iterator[HttpReceiver]:
    """Serve on a free port."""
    receiver = HttpReceiver(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            if status == 200:
                receiver.accepted += body.splitlines(keepends=True)
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:9/")
            self.send_header("retry-after", "7")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    with serving(Handler) as url:
        receiver.url = f"{url}/audit"
        yield receiver
