"""Delivery to real receivers on this machine, one attempt at a time."""

import base64
import json
import smtplib
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standardwebhooks import Webhook, WebhookVerificationError

from clawback.actions import TellReporter
from clawback.notifications import Notifier, render_notification
from clawback.notifications.channel_file import parse_channels
from clawback.notifications.channels.mail import _delivery_error
from clawback.notifications.errors import DeliveryError, DeliveryRejected, DeliveryUnavailable
from tests.notifications.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver
from tests.notifications.samples import KEY, build_notification, build_step


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    """A web server that accepts everything."""
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    """A mail server that refuses only recipients at `refused.test`."""
    async with mail_receiver() as receiver:
        yield receiver


def notifier(**settings: Any) -> Notifier:
    """A notifier with one channel, `soc`."""
    return Notifier(parse_channels({"soc": settings}))


def webhook(url: str) -> Notifier:
    return notifier(kind="webhook", url=url, key=KEY)


def mailer(port: int, *to: str, **settings: Any) -> Notifier:
    defaults = {"host": "127.0.0.1", "security": "none", "sender": "s@own.test"}
    return notifier(kind="mail", port=port, to=to, **{**defaults, **settings})


async def test_a_webhook_is_signed(web: WebReceiver) -> None:
    """The library of the specification verifies it."""
    async with webhook(web.url) as channels:
        await channels.send("soc", build_notification())
    (headers, body) = web.requests[0]
    payload = Webhook(KEY).verify(body, headers)
    assert payload["type"] == "case.done"
    assert payload["data"]["done"] == [
        {"action": "move to JunkEmail", "outcomes": {"moved": 2, "failed:not_found": 1}}
    ]


@pytest.mark.parametrize(
    ("old", "new", "header"), [(b"moved", b"freed", {}), (b"", b"", {"webhook-id": "another"})]
)
async def test_a_forged_webhook_fails_verification(
    web: WebReceiver, old: bytes, new: bytes, header: dict[str, str]
) -> None:
    """The signature covers the id and the body."""
    async with webhook(web.url) as channels:
        await channels.send("soc", build_notification())
    (headers, body) = web.requests[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY).verify(body.replace(old, new), {**headers, **header})


async def test_a_webhook_with_another_timestamp_fails_verification(web: WebReceiver) -> None:
    """A recorded request cannot be made young again."""
    async with webhook(web.url) as channels:
        await channels.send("soc", build_notification())
    (headers, body) = web.requests[0]
    later = str(int(headers["webhook-timestamp"]) + 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY).verify(body, {**headers, "webhook-timestamp": later})


async def test_every_attempt_has_the_same_webhook_id(web: WebReceiver) -> None:
    """Receivers drop repeats by it; the body has it too."""
    async with webhook(web.url) as channels:
        await channels.send("soc", build_notification())
        await channels.send("soc", build_notification())
    (headers, body), (again, _) = web.requests
    assert headers["webhook-id"] == again["webhook-id"] == json.loads(body)["id"]


async def test_a_webhook_carries_the_screenshot_in_base64(web: WebReceiver) -> None:
    """JSON takes no bytes."""
    async with webhook(web.url) as channels:
        await channels.send("soc", build_notification(screenshot=b"\x89PNG"))
    assert base64.b64decode(web.accepted[0]["data"]["screenshot"]) == b"\x89PNG"


@pytest.mark.parametrize(("kind", "key"), [("slack", "blocks"), ("teams", "attachments")])
async def test_chats_receive_their_own_format(web: WebReceiver, kind: str, key: str) -> None:
    """The URL is the only secret: nothing is signed."""
    async with notifier(kind=kind, url=web.url) as channels:
        await channels.send("soc", build_notification())
    assert key in web.accepted[0]
    assert "webhook-signature" not in web.requests[0][0]


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (500, DeliveryUnavailable, "status_500"),
        (429, DeliveryUnavailable, "status_429"),
        (404, DeliveryRejected, "status_404"),
        (302, DeliveryRejected, "redirected"),
    ],
)
async def test_the_status_decides_whether_to_retry(
    status: int, error: type[DeliveryError], reason: str
) -> None:
    """A redirect is not followed: it could lead anywhere."""
    with web_receiver(status, location="http://127.0.0.1:1/elsewhere") as web:
        async with webhook(web.url) as channels:
            with pytest.raises(error) as raised:
                await channels.send("soc", build_notification())
    assert len(web.requests) == 1
    assert raised.value.reason == reason
    assert "secret-path" not in str(raised.value)


async def test_a_busy_receiver_may_ask_for_a_pause() -> None:
    """By the header `Retry-After`, in seconds."""
    with web_receiver(429, retry_after="7") as web:
        async with webhook(web.url) as channels:
            with pytest.raises(DeliveryUnavailable) as raised:
                await channels.send("soc", build_notification())
    assert raised.value.retry_after == timedelta(seconds=7)


async def test_a_pause_may_be_given_as_a_date() -> None:
    """By the header `Retry-After`, as HTTP writes dates."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with web_receiver(503, retry_after=until) as web:
        async with webhook(web.url) as channels:
            with pytest.raises(DeliveryUnavailable) as raised:
                await channels.send("soc", build_notification())
    assert raised.value.retry_after is not None
    assert timedelta(seconds=60) < raised.value.retry_after <= timedelta(seconds=91)


async def test_a_receiver_that_is_down_is_retried() -> None:
    """The error does not name its address."""
    with web_receiver() as web:
        closed = web.url
    async with webhook(closed) as channels:
        with pytest.raises(DeliveryUnavailable, match=r"^unavailable$"):
            await channels.send("soc", build_notification())


async def test_a_channel_that_was_removed_is_rejected() -> None:
    """The rule of an open case may still name it."""
    async with Notifier({}) as channels:
        with pytest.raises(DeliveryRejected, match="no_such_channel"):
            await channels.send("soc", build_notification())


async def test_only_mail_reaches_a_reporter(web: WebReceiver) -> None:
    """A channel may have changed its kind since the case opened."""
    step = build_step(TellReporter(channel="soc"), reporter="u@own.test")
    async with webhook(web.url) as channels:
        with pytest.raises(DeliveryRejected, match="not_a_mail_channel"):
            await channels.send("soc", render_notification(step))
    assert web.requests == []


async def test_a_mail_goes_to_every_address_of_its_channel(mail: MailReceiver) -> None:
    """In one message."""
    async with mailer(mail.port, "a@own.test", "b@own.test") as channels:
        assert await channels.send("soc", build_notification()) is None
    assert mail.recipients == [["a@own.test", "b@own.test"]]
    assert "2 moved" in mail.mails[0].get_content()


async def test_a_mail_to_a_reporter_goes_to_nobody_else(mail: MailReceiver) -> None:
    """The addresses of the channel get nothing."""
    step = build_step(TellReporter(channel="soc"), reporter="u@own.test")
    async with mailer(mail.port, "a@own.test") as channels:
        await channels.send("soc", render_notification(step))
    assert mail.recipients == [["u@own.test"]]


@pytest.mark.parametrize(
    ("to", "reason"), [((), "no_recipients"), (("x@refused.test",), "recipients_refused")]
)
async def test_a_mail_that_cannot_arrive_is_rejected(
    mail: MailReceiver, to: tuple[str, ...], reason: str
) -> None:
    """A retry would fail in the same way."""
    async with mailer(mail.port, *to) as channels:
        with pytest.raises(DeliveryRejected, match=reason):
            await channels.send("soc", build_notification())
    assert mail.mails == []


async def test_a_busy_mail_server_is_retried() -> None:
    """SMTP replies below 500 are temporary."""
    async with (
        mail_receiver(busy=1) as mail,
        mailer(mail.port, "a@own.test") as channels,
    ):
        with pytest.raises(DeliveryUnavailable, match="smtp_451"):
            await channels.send("soc", build_notification())
        assert await channels.send("soc", build_notification()) is None


async def test_some_refused_recipients_are_reported(mail: MailReceiver) -> None:
    """The others have the mail, so it is not sent again."""
    async with mailer(mail.port, "a@own.test", "x@refused.test") as channels:
        refused = await channels.send("soc", build_notification())
    assert refused == "Recipients refused by the mail server: 1."
    assert mail.recipients == [["a@own.test"]]


@pytest.fixture
async def tls_mail(tmp_path: Path) -> AsyncIterator[tuple[MailReceiver, Path]]:
    """A mail server that requires STARTTLS and a password, and the CA of its certificate."""
    context, authority = build_certificate(tmp_path)
    async with mail_receiver(
        tls_context=context,
        require_starttls=True,
        authenticator=accept_password,
        auth_required=True,
    ) as receiver:
        yield receiver, authority


LOGIN = {"security": "starttls", "user": "u", "password": "p"}


async def test_mail_is_sent_with_starttls(tls_mail: tuple[MailReceiver, Path]) -> None:
    """The channel names the CA of the certificate."""
    receiver, authority = tls_mail
    async with mailer(receiver.port, "a@own.test", ca=authority, **LOGIN) as channels:
        await channels.send("soc", build_notification())
    assert len(receiver.mails) == 1


async def test_an_unknown_certificate_gets_no_mail(tls_mail: tuple[MailReceiver, Path]) -> None:
    """Nor the password."""
    receiver, _ = tls_mail
    async with mailer(receiver.port, "a@own.test", **LOGIN) as channels:
        with pytest.raises(DeliveryUnavailable, match="not_encrypted"):
            await channels.send("soc", build_notification())
    assert receiver.mails == []


async def test_a_server_without_starttls_gets_no_mail(mail: MailReceiver) -> None:
    """Neither password nor mail leaves in clear text, and no retry changes that."""
    async with mailer(mail.port, "a@own.test", **LOGIN) as channels:
        with pytest.raises(DeliveryRejected, match="not_supported"):
            await channels.send("soc", build_notification())
    assert mail.mails == []


def accept_password(*_: object) -> AuthResult:
    return AuthResult(success=True)


def build_certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Build a self-signed certificate for 127.0.0.1: the server's context, and the CA file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    ).add_extension(address, critical=False)

    authority = folder / "ca.pem"
    authority.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = folder / "server.pem"
    chain.write_bytes(authority.read_bytes() + private)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    return context, authority


async def test_a_domain_in_another_script_takes_mail(mail: MailReceiver) -> None:
    """Its name goes to the server in ASCII, which any server can take."""
    async with mailer(mail.port, "SOC <soc@bücher.example>", sender="a@bücher.example") as channels:
        assert await channels.send("soc", build_notification()) is None
    assert mail.recipients == [["soc@xn--bcher-kva.example"]]
    assert mail.mails[0]["To"] == "SOC <soc@xn--bcher-kva.example>"
    assert mail.mails[0]["Message-ID"].endswith("@xn--bcher-kva.example>")


async def test_a_mailbox_in_another_script_needs_smtputf8(mail: MailReceiver) -> None:
    """A server that offers it gets the address as it is."""
    async with mailer(mail.port, "jürgen@bücher.example") as channels:
        with pytest.raises(DeliveryRejected, match="not_supported"):
            await channels.send("soc", build_notification())
    async with (
        mail_receiver(enable_SMTPUTF8=True) as modern,
        mailer(modern.port, "jürgen@bücher.example") as channels,
    ):
        assert await channels.send("soc", build_notification()) is None
    assert modern.recipients == [["jürgen@xn--bcher-kva.example"]]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), DeliveryRejected, "unauthenticated"),
        (smtplib.SMTPAuthenticationError(454, b"later"), DeliveryUnavailable, "unauthenticated"),
        (smtplib.SMTPSenderRefused(553, b"no", "a@b.c"), DeliveryRejected, "smtp_553"),
        (smtplib.SMTPConnectError(554, b"no service"), DeliveryRejected, "smtp_554"),
        (smtplib.SMTPConnectError(421, b"busy"), DeliveryUnavailable, "smtp_421"),
        (smtplib.SMTPConnectError(-1, b"closed"), DeliveryUnavailable, "smtp_-1"),
        (smtplib.SMTPServerDisconnected("closed"), DeliveryUnavailable, "unavailable"),
        (smtplib.SMTPRecipientsRefused({"a": (550, b""), "b": (451, b"")}), DeliveryUnavailable,
         "recipients_refused"),
        (UnicodeEncodeError("ascii", "x", 0, 1, "no"), DeliveryRejected, "not_supported"),
    ],
)  # fmt: skip
def test_the_reply_decides_whether_to_try_again(
    error: smtplib.SMTPException, kind: type[DeliveryError], reason: str
) -> None:
    """A reply from 500 on is permanent (RFC 5321): hours of retries would hide the fault."""
    found = _delivery_error(error)
    assert (type(found), found.reason) == (kind, reason)
