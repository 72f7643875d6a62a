"""A web server and a mail server on this machine that record what they receive."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.http_server import serving


@dataclass
class WebReceiver:
    """Answers with `statuses` in order, then with 204. Records all requests and accepted bodies."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Record a request and return the status to answer with."""
        self.requests.append((headers, body))
        status = self.statuses.pop(0) if self.statuses else 204
        if status < 300:
            self.accepted.append(json.loads(body))
        return status


@contextmanager
def web_receiver(*statuses: int, **headers: str) -> Iterator[WebReceiver]:
    """Serve on a free port."""
    receiver = WebReceiver(
        list(statuses), {name.replace("_", "-"): value for name, value in headers.items()}
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(
                receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            )
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    with serving(Handler) as url:
        receiver.url = f"{url}/secret-path"
        yield receiver


@dataclass
class MailReceiver:
    """Records mails and their envelopes.

    Refuses recipients at `refused.test`, and the first `busy` mails.
    """

    port: int = 0
    busy: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - a hook of aiosmtpd
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address.endswith("@refused.test"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 - a hook of aiosmtpd
        if self.busy:
            self.busy -= 1
            return "451 try again"
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@asynccontextmanager
async def mail_receiver(busy: int = 0, **options: Any) -> AsyncIterator[MailReceiver]:
    """Serve on a free port. `options` are those of `aiosmtpd.smtp.SMTP`."""
    receiver = MailReceiver(busy=busy)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(receiver, hostname="receiver.test", **options), "127.0.0.1", 0
    )
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
