"""Endpoints that read messages: search, record, detections, action log, preview, raw, trace.

Source: reference §1.3. The API keeps no bodies of clean mail, so `preview` (GET) and `raw` are a
404 for it; a requested preview (POST) needs the message in its inbox. There are no real bodies
here: everything is built from the record.
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

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState
from clawback.simulator.mail import INBOX, Mail
from clawback.simulator.mailbox_store import BadCursor, MailboxSearch
from clawback.simulator.message_search import build_filter
from clawback.simulator.options import BodyForm, Shape
from clawback.simulator.responses import (
    HOME,
    cursor_info,
    format_time,
    invalid,
    not_found,
    read_object,
    succeed,
    succeed_encoded,
    succeed_one_encoded,
)


class InvestigateEndpoints:
    """Read access to messages. A requested preview is noted in the action log of its message."""

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        one = HOME + "/investigate/{investigate_id}"
        return [
            Route(HOME + "/investigate", self.search, methods=["GET"]),
            Route(HOME + "/investigate/preview", self.request_preview, methods=["POST"]),
            Route(one, self.get, methods=["GET"]),
            Route(one + "/detections", self.detections, methods=["GET"]),
            Route(one + "/action_log", self.action_log, methods=["GET"]),
            Route(one + "/preview", self.preview, methods=["GET"]),
            Route(one + "/raw", self.raw, methods=["GET"]),
            Route(one + "/trace", self.trace, methods=["GET"]),
        ]

    async def search(self, request: Request) -> Response:
        """GET a page of messages with a cursor. Without `cursor`, `page` still works."""
        params = request.query_params
        page, per_page = query_parameters.paging(params)
        start, end = query_parameters.window(params, self._account.now)
        search = MailboxSearch(start, end, build_filter(params), self._account.now)
        cursor = params.get("cursor")

        try:
            found = self._account.mailboxes.page(
                search, per_page, cursor, 0 if cursor else (page - 1) * per_page
            )
        except BadCursor:
            raise invalid("cursor is not valid", "cursor") from None

        lean = self._account.options.shape is Shape.LEAN
        info = cursor_info(len(found.mails), per_page, found.next_cursor, None, lean=lean)
        return succeed_encoded((mail.record for mail in found.mails), result_info=info)

    async def get(self, request: Request) -> Response:
        """GET one message from the regular datastore, or with `submission=true` from the other."""
        submission = query_parameters.boolean(request.query_params, "submission", default=False)
        mail = self._find(request)
        if mail.submission is not submission:
            raise not_found("Message not found")
        return succeed_one_encoded(mail.record)

    async def detections(self, request: Request) -> Response:
        """GET the detections of a message; 404 if it is benign."""
        mail = self._find(request)
        if mail.detections is None or not mail.is_detection:
            raise not_found("No detections for this message")
        return succeed_one_encoded(mail.detections)

    async def action_log(self, request: Request) -> Response:
        """GET the actions on a message, oldest first."""
        return succeed(self._find(request).actions)

    async def preview(self, request: Request) -> Response:
        """GET a screenshot of a detection: base64 of a PNG."""
        self._find_detection(request)
        return succeed({"screenshot": screenshot()})

    async def request_preview(self, request: Request) -> Response:
        """POST to render a message in its inbox, given by `id` or, formerly, by `postfix_id`."""
        mail = self._find_by_body(await read_object(request))
        if mail is None or mail.folder != INBOX:
            raise not_found("Message not found in an inbox")
        mail.log(self._account.build_action("PREVIEW", requested_by="api"))
        return succeed({"screenshot": screenshot()})

    async def raw(self, request: Request) -> Response:
        """GET a detection as an RFC 5322 message."""
        return succeed({"raw": _build_eml(self._find_detection(request))})

    async def trace(self, request: Request) -> Response:
        """GET the mail server log of a message, inbound and outbound."""
        mail = self._find(request)
        old = self._account.options.shape is Shape.OLD
        lines = [line | {"ts": line["logged_at"]} if old else line for line in _trace_lines(mail)]

        return succeed(
            {
                "inbound": {"lines": lines, "pending": False},
                "outbound": {"lines": [], "pending": False},
            }
        )

    def _find_detection(self, request: Request) -> Mail:
        mail = self._find(request)
        if not mail.is_detection:
            raise not_found("The body of a message without a detection is not kept")
        return mail

    def _find_by_body(self, body: dict[str, Any]) -> Mail | None:
        form = self._account.options.preview_body
        if "id" in body and form is not BodyForm.FORMER:
            return look_up(self._account, str(body["id"]))
        if "postfix_id" in body and form is not BodyForm.CURRENT:
            return next(
                iter(self._account.mailboxes.by_postfix_id.get(str(body["postfix_id"]), ())), None
            )

        raise invalid(("postfix_id" if form is BodyForm.FORMER else "id") + " is required")

    def _find(self, request: Request) -> Mail:
        return find_mail(self._account, str(request.path_params["investigate_id"]))


def find_mail(account: AccountState, identity: str) -> Mail:
    """Return the message with this investigate id; in the old shape also by postfix id.

    Raises:
        Refusal: 404, it is unknown.

    """
    mail = look_up(account, identity)
    if mail is None:
        raise not_found("Message not found")
    return mail


def look_up(account: AccountState, identity: str) -> Mail | None:
    """Return the message with this id like `find_mail`, or None."""
    mail = account.mailboxes.by_id.get(identity)
    if mail is None and account.options.shape is Shape.OLD:
        return next(iter(account.mailboxes.by_postfix_id.get(identity, ())), None)
    return mail


def screenshot() -> str:
    """Return a PNG of one white pixel, in base64."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\xff")), (b"IEND", b""))
    image = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return base64.b64encode(image).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _build_eml(mail: Mail) -> str:
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


def _trace_lines(mail: Mail) -> Iterator[dict[str, Any]]:
    messages = (
        f"connect from {mail.helo_ip or 'unknown'}",
        f"{mail.postfix_id}: scanned, {mail.disposition or 'NONE'}",
        f"{mail.postfix_id}: done",
    )
    for number, message in enumerate(messages, 1):
        yield {"lineno": number, "message": message, "logged_at": format_time(mail.at)}
