"""The endpoints that show what a message looks like and which way it went: preview, raw, trace.

Source: reference §1.3.

Bodies of clean mail are not kept: `preview` (GET) and `raw` answer 404 for them. A preview on
request needs the message in its inbox, and is noted in the action log. Everything shown is made
from the record; there are no real bodies here.
"""

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator.account_state import AccountState
from clawback.simulator.envelopes import HOME, invalid, not_found, object_body, stamp, succeed
from clawback.simulator.investigate_endpoints import find_mail, look_up
from clawback.simulator.mail import INBOX, Mail
from clawback.simulator.options import BodyForm, Shape


class Contents:
    """Showing messages; only a preview on request leaves a trace, in the action log of the message."""

    def __init__(self, world: AccountState) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The routes of these endpoints."""
        one = HOME + "/investigate/{investigate_id}"
        return [
            Route(HOME + "/investigate/preview", self.request_preview, methods=["POST"]),
            Route(one + "/preview", self.preview, methods=["GET"]),
            Route(one + "/raw", self.raw, methods=["GET"]),
            Route(one + "/trace", self.trace, methods=["GET"]),
        ]

    async def preview(self, request: Request) -> Response:
        """GET a screenshot of a detection: base64 of a PNG."""
        self._detection(request)
        return succeed({"screenshot": screenshot()})

    async def request_preview(self, request: Request) -> Response:
        """POST for a screenshot of any message in its inbox, named by `id` or, formerly, by `postfix_id`."""
        mail = self._named(await object_body(request))
        if mail is None or mail.folder != INBOX:
            raise not_found("Message not found in an inbox")
        mail.act(self._world.action("PREVIEW", requested_by="api"))
        return succeed({"screenshot": screenshot()})

    async def raw(self, request: Request) -> Response:
        """GET a detection as an RFC 5322 text."""
        return succeed({"raw": _eml(self._detection(request))})

    async def trace(self, request: Request) -> Response:
        """GET the lines that mail servers logged of a message, inbound and outbound."""
        mail = find_mail(self._world, str(request.path_params["investigate_id"]))
        old = self._world.options.shape is Shape.OLD
        lines = [line | {"ts": line["logged_at"]} if old else line for line in _lines(mail)]
        return succeed(
            {
                "inbound": {"lines": lines, "pending": False},
                "outbound": {"lines": [], "pending": False},
            }
        )

    def _detection(self, request: Request) -> Mail:
        mail = find_mail(self._world, str(request.path_params["investigate_id"]))
        if not mail.is_detection:
            raise not_found("The body of a message without a detection is not kept")
        return mail

    def _named(self, body: dict[str, Any]) -> Mail | None:
        form = self._world.options.preview_body
        if "id" in body and form is not BodyForm.FORMER:
            return look_up(self._world, str(body["id"]))
        if "postfix_id" in body and form is not BodyForm.CURRENT:
            return next(
                iter(self._world.mailroom.by_postfix_id.get(str(body["postfix_id"]), ())), None
            )
        raise invalid(("postfix_id" if form is BodyForm.FORMER else "id") + " is required")


def screenshot() -> str:
    """A PNG of one white pixel, in base64."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\xff")), (b"IEND", b""))
    image = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return base64.b64encode(image).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _eml(mail: Mail) -> str:
    message = EmailMessage(policy=SMTP)
    for header in json.loads(mail.detections or b"{}").get("headers", ()):
        name, value = str(header.get("name", "")), " ".join(str(header.get("value", "")).split())
        if (
            name.isascii()
            and name.replace("-", "").isalnum()
            and not name.lower().startswith(("content-", "mime-"))
        ):
            message.add_header(f"X-Original-{name}", value.encode("ascii", "replace").decode())
    message.set_content(f"The body of {mail.id} is not part of this simulation.\n")
    return message.as_string()


def _lines(mail: Mail) -> Iterator[dict[str, Any]]:
    said = (
        f"connect from {mail.helo_ip or 'unknown'}",
        f"{mail.postfix_id}: scanned, {mail.disposition or 'NONE'}",
        f"{mail.postfix_id}: done",
    )
    for number, message in enumerate(said, 1):
        yield {"lineno": number, "message": message, "logged_at": stamp(mail.at)}
