"""A client of an in-process simulator, with every exchange checked against the OpenAPI document."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from clawback.cloudflare import EmailSecurity
from clawback.simulator import Simulator, SimulatorOptions
from tests.cloudflare.support import Window
from tests.contract import openapi

BASE = "http://simulator.test/client/v4"
ACCOUNT = "acc"
TOKEN = "contract-token-0123"


class CheckingTransport(httpx.AsyncBaseTransport):
    """Forwards requests to the simulator, and collects violations of the OpenAPI document."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = httpx.ASGITransport(app=simulator.app)
        self.seen: list[tuple[str, int]] = []
        self.problems: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/client/v4")
        self.seen.append(
            (openapi.operation(request.method, path)[1]["operationId"], response.status_code)
        )
        self.problems += [
            f"{request.method} {path}: {text}"
            for text in openapi.problems_of(request, "/client/v4")
        ]
        answered = openapi.answer_problems(
            request.method, path, response.status_code, json.loads(body) if body else None
        )
        self.problems += [
            f"{request.method} {path} → {response.status_code}: {text}" for text in answered
        ]
        return httpx.Response(response.status_code, headers=response.headers, content=body)


@asynccontextmanager
async def on_simulator(
    **options: Any,
) -> AsyncIterator[tuple[EmailSecurity, Simulator, CheckingTransport]]:
    """A client of a new simulator, the simulator, and the transport that checks them."""
    simulator = Simulator(SimulatorOptions(**options))
    checker = CheckingTransport(simulator)
    async with EmailSecurity(url=BASE, account_id=ACCOUNT, token=TOKEN, transport=checker) as api:
        yield api, simulator, checker


def mail(number: int, **fields: Any) -> dict[str, Any]:
    """A corpus line of a malicious message that arrived minutes ago."""
    at = datetime.now(UTC) - timedelta(minutes=5, seconds=number)
    stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    message = {
        "id": f"POST{number}-2026-11-22T10:00:00-{number}",
        "postfix_id": f"POST{number}",
        "message_id": f"<{number}@mail.test>",
        "from": "ceo@evil.test",
        "subject": f"WireModel {number}",
        "to": ["user@example.com"],
        "client_recipients": ["user@example.com"],
        "final_disposition": "MALICIOUS",
        "scanned_at": stamp,
        "sent_at": stamp,
    }
    detections = {
        "action": "NONE",
        "links": [{"href": "https://evil.test/", "text": None}],
        "sender_info": {
            "as_name": None,
            "as_number": None,
            "geo": None,
            "ip": "192.0.2.7",
            "pld": "evil.test",
        },
        "validation": {"comment": None, "dkim": "fail", "dmarc": "fail", "spf": "fail"},
        **{name: [] for name in ("attachments", "findings", "headers", "threat_categories")},
    }
    return {"message": {**message, **fields}, "detections": detections}


def last_hour() -> Window:
    """A time range that contains the messages of `mail`."""
    now = datetime.now(UTC)
    return Window(start=now - timedelta(hours=1), end=now)
