"""Test doubles of what the client needs: clock, observer, responses, a misbehaving server."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

import httpx

from clawback.cloudflare import EmailSecurity

URL = "http://127.0.0.1:8080/client/v4"
ACCOUNT = "acc0unt"
TOKEN = "s3cret-token-0123456789"
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 11, 2, tzinfo=UTC)
IID = "4Njp3P0STMz2c02Q-2024-01-05T10:00:00-12345678"


class Window(TypedDict):
    """The keyword arguments of a read over a period."""

    start: datetime
    end: datetime


WINDOW = Window(start=START, end=END)


class StillClock:
    """A clock that advances only in `sleep`, which takes no time."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def wall_time(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Ledger:
    """An observer that records everything."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Any]] = []

    def record_response(self, *, endpoint: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.rows.append((endpoint, status))

    def record_intermediary(self, *, endpoint: str, kind: str, seconds: float) -> None:
        assert seconds >= 0
        self.rows.append((endpoint, kind))

    def record_failure(self, *, endpoint: str, error: str, seconds: float) -> None:
        assert seconds >= 0
        self.rows.append((endpoint, error))

    def record_delay(self, seconds: float) -> None:
        self.rows.append(("paced", seconds))

    def record_paging(self, trouble: str) -> None:
        self.rows.append(("paging", trouble))


def client(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> EmailSecurity:
    """Build a client whose requests a function answers."""
    return EmailSecurity(
        url=URL, account_id=ACCOUNT, token=TOKEN, transport=httpx.MockTransport(answer), **options
    )


def always(response: httpx.Response) -> EmailSecurity:
    """Build a client that always gets the same response."""
    return client(
        lambda _: httpx.Response(
            response.status_code, headers=response.headers, content=response.content
        )
    )


def envelope(
    result: Any, status: int = 200, headers: dict[str, str] | None = None, **info: Any
) -> httpx.Response:
    """Build the API's success envelope."""
    body = {"success": True, "errors": [], "messages": [], "result": result}
    return httpx.Response(
        status, headers=headers, json={**body, "result_info": info} if info else body
    )


def refusal(
    status: int, *errors: tuple[int, str], headers: dict[str, str] | None = None
) -> httpx.Response:
    """Build the API's failure envelope."""
    rows = [{"code": code, "message": message} for code, message in errors]
    return httpx.Response(
        status,
        headers=headers,
        json={"success": False, "errors": rows, "messages": [], "result": None},
    )


def recording(requests: list[httpx.Request], response: httpx.Response) -> EmailSecurity:
    """Build a client that records its requests and always gets the same response."""

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(
            response.status_code, headers=response.headers, content=response.content
        )

    return client(answer)


def body_of(request: httpx.Request) -> Any:
    """Parse the JSON body of a request."""
    return json.loads(request.content)


@asynccontextmanager
async def rude_server(
    answer: bytes, then: Literal["close", "reset", "silence", "drip"]
) -> AsyncIterator[str]:
    """Serve a port that reads one request, sends `answer`, then misbehaves; yield its URL."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        while then in {"silence", "drip"} and not done.is_set() and not reader.at_eof():
            if then == "drip":
                writer.write(b"1\r\n{\r\n")
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1000), 0.01)
        if then == "reset":
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/client/v4"
    finally:
        done.set()
        server.close()
        await server.wait_closed()


def closed_port() -> int:
    """Find a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
