"""Mail: plain text by SMTP, to the addresses of the channel or to one reporter."""

import asyncio
import smtplib
import ssl
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import httpx
from pydantic import AfterValidator, Field, model_validator

from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.hosts import is_loopback
from clawback.model.notations import canonical_domain
from clawback.notifications.channels.base import Channel, Secret
from clawback.notifications.errors import DeliveryError, DeliveryRejected, DeliveryUnavailable
from clawback.notifications.rendering import RenderedNotification

_TIMEOUT = 20.0
_FIRST_PERMANENT_CODE = 500
"""SMTP replies from here on are permanent failures (RFC 5321, 4.2.1)."""


def _check_address(text: str) -> str:
    is_header_safe = "\n" not in text and "\r" not in text
    local, _, domain = parseaddr(text)[1].rpartition("@")
    # A local part may be in another script (RFC 6532), but is no pattern of a policy then.
    in_ascii = local if local.isascii() else "x" if local.isprintable() and " " not in local else ""
    if not is_header_safe or pattern_problem(f"{in_ascii}@{domain}", PatternKind.EMAIL) is not None:
        raise ValueError("expected a mail address")
    return text


Address = Annotated[str, AfterValidator(_check_address)]


class MailChannel(Channel):
    """A mail server that relays for us. `to` may be empty if only reporters get mail."""

    supports_screenshots: ClassVar[bool] = True
    supports_reporters: ClassVar[bool] = True

    kind: Literal["mail"]
    host: str
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca: Path | None = None
    user: str | None = None
    password: Secret | None = None
    sender: Address
    to: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _check_security(self) -> "MailChannel":
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                'security = "none" is allowed for loopback addresses only; use starttls or tls'
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password must be given together")

        return self

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.host, self.port

    async def deliver(
        self,
        notification: RenderedNotification,
        http: httpx.AsyncClient,  # noqa: ARG002 - mail needs no HTTP client
    ) -> str | None:
        return await asyncio.to_thread(self._send, notification)

    def _send(self, notification: RenderedNotification) -> str | None:
        if notification.reporter is None and not self.to:
            raise DeliveryRejected("no_recipients")

        try:
            with self._connect() as server:
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password.get_secret_value())
                refused = server.send_message(build_mail(notification, self))
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise _delivery_error(error) from None

        return f"Recipients refused by the mail server: {len(refused)}." if refused else None

    def _connect(self) -> smtplib.SMTP:
        """Connect with TLS and a verified certificate, unless `security` is `none`."""
        context = ssl.create_default_context(cafile=self.ca)
        host = canonical_domain(self.host)
        if self.security == "tls":
            return smtplib.SMTP_SSL(host, self.port, timeout=_TIMEOUT, context=context)

        server = smtplib.SMTP(host, self.port, timeout=_TIMEOUT)
        if self.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise

        return server


def build_mail(notification: RenderedNotification, channel: MailChannel) -> EmailMessage:
    """Build the mail. Every attempt has the same Message-ID, so mailboxes can drop repeats."""
    sender = _read_mailbox(channel.sender)
    receivers = channel.to if notification.reporter is None else (notification.reporter,)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = [_read_mailbox(address) for address in receivers]
    mail["Subject"] = notification.subject
    mail["Date"] = format_datetime(notification.at)
    mail["Message-ID"] = f"<{notification.id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"

    # A reporter has no access to the Temporal UI.
    has_link = notification.link and notification.reporter is None
    link = f"\n{notification.link}\n" if has_link else ""
    mail.set_content(f"{notification.text}\n{link}")

    if notification.screenshot:
        mail.add_attachment(
            notification.screenshot, maintype="image", subtype="png", filename="message.png"
        )

    return mail


def _read_mailbox(text: str) -> Mailbox:
    """Read an address, with its domain in ASCII: every server takes `xn--` for another script.

    A local part in another script stays, and needs a server with SMTPUTF8 (RFC 6531).
    """
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    return Mailbox(display_name=name, username=local, domain=canonical_domain(domain))


def _delivery_error(error: smtplib.SMTPException | OSError | UnicodeError) -> DeliveryError:
    match error:
        case smtplib.SMTPAuthenticationError():
            is_permanent = error.smtp_code >= _FIRST_PERMANENT_CODE
            return _by_permanence("unauthenticated", is_permanent=is_permanent)
        case smtplib.SMTPNotSupportedError() | UnicodeError():
            # STARTTLS, a password, or an address in another script: the server offers none.
            return DeliveryRejected("not_supported")
        case smtplib.SMTPRecipientsRefused():
            is_permanent = all(
                code >= _FIRST_PERMANENT_CODE for code, _ in error.recipients.values()
            )
            return _by_permanence("recipients_refused", is_permanent=is_permanent)
        case smtplib.SMTPResponseException():
            is_permanent = error.smtp_code >= _FIRST_PERMANENT_CODE
            return _by_permanence(f"smtp_{error.smtp_code}", is_permanent=is_permanent)
        case ssl.SSLError():
            return DeliveryUnavailable("not_encrypted")
        case _:
            return DeliveryUnavailable("unavailable")


def _by_permanence(reason: str, *, is_permanent: bool) -> DeliveryError:
    return DeliveryRejected(reason) if is_permanent else DeliveryUnavailable(reason)
