"""`/metrics` and `/healthz` of a process, on one port, from a thread of its own.

They answer even when the event loop does not.

It serves what it is given and must not compute anything of its own.
"""

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest

from clawback.model.loggable_error import LoggableError
from clawback.telemetry.metrics import REGISTRY

_PLAIN = "text/plain; version=0.0.4; charset=utf-8"

Scrape = Callable[[], bytes]
"""Gives a further page of metrics in the Prometheus text format."""

Health = Callable[[], str | None]
"""Says what is wrong with the process, or None."""


class TelemetryUnavailable(LoggableError, RuntimeError):
    """`/metrics` cannot be served where it should be; the text says why and what to set."""


class MetricsServer:
    """A running server of `/metrics` and `/healthz`; a context manager that ends it."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_metrics(
    address: str,
    scrapes: Sequence[Scrape] = (),
    health: Health = lambda: None,
    registry: CollectorRegistry = REGISTRY,
) -> MetricsServer:
    """Serve `/metrics` (this process's registry, then every further page) and `/healthz` (200, or 503 with what is wrong).

    Args:
        address: `host:port`; port 0 takes a free one.
        scrapes: Further pages, such as the Temporal SDK's; one that fails is left out and said so
            in a comment.
        health: Asked at each `/healthz`.
        registry: The metrics of this process.

    Raises:
        TelemetryUnavailable: the address is taken or not ours.

    """
    host, port = _split(address)
    pages: dict[str, Callable[[], tuple[int, bytes]]] = {
        "/metrics": lambda: (200, generate_latest(registry) + b"".join(map(_read, scrapes))),
        "/healthz": lambda: _state(health()),
    }
    answering = type("Answering", (_Pages,), {"pages": pages})
    try:
        return MetricsServer(ThreadingHTTPServer((host, port), answering))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TelemetryUnavailable(
            f"/metrics cannot be served on {address}: {reason}; set CLAWBACK_METRICS to a free host:port"
        ) from None


class _Pages(BaseHTTPRequestHandler):
    pages: dict[str, Callable[[], tuple[int, bytes]]]
    timeout = 5

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, body = page() if page else (404, b"there are /metrics and /healthz\n")
        self.send_response(status)
        self.send_header("Content-Type", _PLAIN)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing: a scrape every few seconds is not news."""


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - the largest port there is
        raise TelemetryUnavailable(
            f"{address!r} is not an address for /metrics; set CLAWBACK_METRICS to host:port, such as 127.0.0.1:9464"
        )
    return host.strip("[]"), int(port)


def _read(scrape: Scrape) -> bytes:
    try:
        return scrape()
    except OSError as error:
        return f"# a page is missing: {type(error).__name__}\n".encode()


def _state(problem: str | None) -> tuple[int, bytes]:
    return (200, b"ok\n") if problem is None else (503, f"{problem}\n".encode())
