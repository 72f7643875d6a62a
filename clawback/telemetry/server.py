"""Serves `/metrics` and `/healthz` from a thread: they respond even if the event loop hangs."""

import gzip
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import gzip_accepted

from clawback.listening import open_listener
from clawback.model.loggable import LoggableError
from clawback.telemetry.exposition import Scrape, render_page
from clawback.telemetry.metrics import REGISTRY

log = structlog.get_logger("clawback")

_MAX_PORT = 65_535
_PLAIN = "text/plain; version=0.0.4; charset=utf-8"
_WORTH_COMPRESSING = 1_400
"""Bytes; less fits into one packet."""
_FAST = 1
"""A page shrinks to a twelfth; more effort would save little more."""

Page = Callable[[str], tuple[int, str, bytes]]
"""Takes the header `Accept`, returns status, content type and body."""

Health = Callable[[], str | None]
"""Returns what is wrong with the process, or None."""


class TelemetryUnavailable(LoggableError, RuntimeError):
    """`/metrics` cannot be served; the text says why and what to set."""


def join_health(*checks: Health) -> Health:
    """Return what is wrong by any of several checks."""

    def check_all() -> str | None:
        return "; ".join(problem for check in checks if (problem := check())) or None

    return check_all


class MetricsServer:
    """A running server, as a context manager."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

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
    probes: Mapping[str, Health] | None = None,
) -> MetricsServer:
    """Serve `/metrics`, `/healthz` and probes.

    `/metrics` holds the registry of this process and every further page; `/healthz` is 200, or 503
    with what is wrong.

    Args:
        address: `host:port`; port 0 picks a free one.
        scrapes: Further pages, such as the Temporal SDK's. One that fails is left out.
        health: Called for each `/healthz`.
        registry: The metrics of this process.
        probes: Further checks by their path, such as `/livez`, answered as `/healthz` is.

    Raises:
        TelemetryUnavailable: the address is in use or cannot be bound.

    """
    host, port = _parse_address(address)
    checks = {"/healthz": health, **(probes or {})}
    pages: dict[str, Page] = {
        "/metrics": lambda accept: (200, *render_page(registry, scrapes, accept)),
        **{path: _health_page(check) for path, check in checks.items()},
    }
    # http.server builds a handler for each request, so what it serves is an attribute of its class.
    handler = type("Handler", (_Handler,), {"pages": pages})

    try:
        return MetricsServer(_Server(open_listener(host, port), handler))
    except OSError as error:
        # Python adds the address to the text of the error, and that is named anyway.
        reason = (
            os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        ).lower()
        raise TelemetryUnavailable(
            f"cannot serve /metrics on {address}: {reason}; "
            "set CLAWBACK_METRICS to a free host:port"
        ) from None


class _Server(ThreadingHTTPServer):
    def __init__(self, listening: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        # The base class binds addresses of IPv4 only, and asks the DNS for the name of the host.
        super().__init__(("", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = listening.getsockname()

    def handle_error(
        self,
        request: object,  # noqa: ARG002 - the base class calls it
        client_address: object,  # noqa: ARG002 - the base class calls it
    ) -> None:
        """Log a failure as everything else is logged; the base class prints a traceback.

        Whoever asked may go away before the response: a probe with a short timeout does.
        """
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            log.error("metrics.request_failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, Page]
    # Seconds: a client that sends nothing must not hold its thread for ever.
    timeout = 5

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> bytes:
        """Send what precedes the body of the page, and return the body."""
        page = self.pages.get(self.path.partition("?")[0])
        status, content_type, body = (page or _not_found)(self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Vary", "Accept, Accept-Encoding")
        if len(body) >= _WORTH_COMPRESSING and gzip_accepted(
            self.headers.get("Accept-Encoding", "")
        ):
            body = gzip.compress(body, compresslevel=_FAST)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(
        self,
        format: str,  # noqa: A002 - the base class names it
        *args: object,
    ) -> None:
        """Log nothing: a scrape every few seconds is not worth it."""


def _parse_address(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
        raise TelemetryUnavailable(
            f"{address!r} is not an address for /metrics; "
            "set CLAWBACK_METRICS to host:port, such as 127.0.0.1:9464"
        )

    return host.strip("[]"), int(port)


def _not_found(_: str) -> tuple[int, str, bytes]:
    return 404, _PLAIN, b"not found; try /metrics or /healthz\n"


def _health_page(check: Health) -> Page:
    def answer(_: str) -> tuple[int, str, bytes]:
        problem = check()
        body = "ok" if problem is None else problem
        return 200 if problem is None else 503, _PLAIN, f"{body}\n".encode()

    return answer
