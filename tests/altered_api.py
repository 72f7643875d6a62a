"""Answers of the simulator, changed on their way: what an API may say and it never does."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clawback.simulator import Simulator


@dataclass(frozen=True)
class Call:
    """One request to an endpoint, which `perform` carries out."""

    app: ASGIApp
    scope: MutableMapping[str, Any]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query."""
        return dict(parse_qsl(self.scope["query_string"].decode()))

    @property
    def ids(self) -> list[str]:
        """The ids in the body of a move or release."""
        ids: list[str] = json.loads(self.body)["ids"]
        return ids

    async def perform(self) -> dict[str, Any]:
        """Carry it out; return the document of the response."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(dict(self.scope), receive, send)
        document: dict[str, Any] = json.loads(b"".join(one.get("body", b"") for one in sent))
        return document


Handler = Callable[[Call], Awaitable[dict[str, Any]]]


def alter(simulator: Simulator, path: str, handler: Handler, method: str = "POST") -> None:
    """Let a handler answer the requests of a method to paths that end so."""
    app = simulator.app

    async def altered(scope: Scope, receive: Receive, send: Send) -> None:
        is_altered = scope["method"] == method and scope["path"].endswith(path)
        if not is_altered:
            await app(scope, receive, send)
            return

        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        document = await handler(Call(app, scope, body))
        await JSONResponse(document)(scope, receive, send)

    simulator.app = altered


def document(result: list[dict[str, Any]], **info: Any) -> dict[str, Any]:
    """Build the document of a list."""
    return {
        "success": True,
        "errors": [],
        "messages": [],
        "result": result,
        "result_info": {"count": len(result), **info},
    }
