"""Getting there: real receivers on this machine, one attempt each."""

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import TypeAdapter

from clawback.notifications import Channel, Notifier
from clawback.notifications.errors import Refused, TryAgain
from tests.notifications.letters import KEY, letter
from tests.notifications.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver

READ: TypeAdapter[Any] = TypeAdapter(Channel)


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    """A web server that takes everything."""
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    """A mail server that takes nearly everything."""
    async with mail_receiver() as receiver:
        yield receiver


def webhook(url: str) -> Notifier:
    """Build a notifier with one signed webhook."""
    return Notifier({"soc": READ.validate_python({"kind": "webhook", "url": url, "key": KEY})})


def mailing(receiver: MailReceiver, *to: str) -> Notifier:
    """Build a notifier with one mail server."""
    said = {
        "kind": "mail",
        "host": "127.0.0.1",
        "port": receiver.port,
        "security": "none",
        "sender": "s@own.test",
        "to": to,
    }
    return Notifier({"soc": READ.validate_python(said)})


def verified(headers: dict[str, str], body: bytes) -> bool:
    """Verify as docs/operations.md tells receivers to."""
    secret = base64.b64decode(KEY.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(one, f"v1,{wanted}") for one in headers["webhook-signature"].split()
    )


async def test_a_webhook_is_signed_and_a_forged_one_is_noticed(web: WebReceiver) -> None:
    """The receiver verifies id, time and body; a repeat has the same id."""
    async with webhook(web.url) as notifier:
        await notifier.send("soc", letter())
        await notifier.send("soc", letter())
    (headers, body), (again, _) = web.requests
    assert verified(headers, body)
    assert not verified(headers, body.replace(b"moved", b"freed"))
    assert not verified({**headers, "webhook-timestamp": "1"}, body)
    assert headers["webhook-id"] == again["webhook-id"] == json.loads(body)["id"]
    said = web.accepted[0]
    assert (said["type"], said["data"]["done"]) == (
        "case.done",
        [{"action": "move to JunkEmail", "outcomes": {"moved": 2, "failed:not_found": 1}}],
    )


async def test_a_picture_goes_along_with_a_webhook(web: WebReceiver) -> None:
    """In base64."""
    async with webhook(web.url) as notifier:
        await notifier.send("soc", letter(picture=b"\x89PNG"))
    assert base64.b64decode(web.accepted[0]["data"]["screenshot"]) == b"\x89PNG"


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_chats_are_posted_to(web: WebReceiver, kind: str) -> None:
    """Without a signature: their address is the secret."""
    async with Notifier({"soc": READ.validate_python({"kind": kind, "url": web.url})}) as notifier:
        await notifier.send("soc", letter())
    assert web.accepted[0].keys() >= ({"blocks", "text"} if kind == "slack" else {"attachments"})


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (500, TryAgain, "status_500"),
        (429, TryAgain, "status_429"),
        (404, Refused, "status_404"),
        (302, Refused, "redirected"),
    ],
)
async def test_an_answer_decides_whether_it_is_worth_another_try(
    status: int, error: type[Exception], reason: str
) -> None:
    """A redirect is not followed: it could lead anywhere."""
    with web_receiver(status, retry_after="7", location="http://127.0.0.1:1/elsewhere") as web:
        async with webhook(web.url) as notifier:
            with pytest.raises(error) as raised:
                await notifier.send("soc", letter())
    assert len(web.requests) == 1
    assert getattr(raised.value, "reason", "") == reason
    assert getattr(raised.value, "after", None) == (
        timedelta(seconds=7) if error is TryAgain else None
    )
    assert "secret-path" not in str(raised.value)


async def test_nobody_listening_is_tried_again() -> None:
    """The error names no address."""
    with web_receiver() as web:
        gone = web.url
    async with webhook(gone) as notifier:
        with pytest.raises(TryAgain, match="unavailable"):
            await notifier.send("soc", letter())


async def test_a_channel_that_is_gone_is_refused() -> None:
    """A rule of an open case may name one that is no longer set up."""
    async with Notifier({}) as notifier:
        with pytest.raises(Refused, match="no_such_channel"):
            await notifier.send("soc", letter())


async def test_a_mail_arrives(mail: MailReceiver) -> None:
    """From the sender to everybody the channel names."""
    async with mailing(mail, "a@own.test", "b@own.test") as notifier:
        assert await notifier.send("soc", letter()) is None
    assert mail.receivers == [["a@own.test", "b@own.test"]]
    assert "2 moved" in mail.mails[0].get_content()


@pytest.mark.parametrize(
    ("to", "error", "reason"),
    [((), Refused, "nobody_to_write_to"), (("x@refused.test",), Refused, "receivers_refused")],
)
async def test_a_mail_that_cannot_arrive_is_refused(
    mail: MailReceiver, to: tuple[str, ...], error: type[Exception], reason: str
) -> None:
    """For good."""
    async with mailing(mail, *to) as notifier:
        with pytest.raises(error, match=reason):
            await notifier.send("soc", letter())
    assert mail.mails == []


async def test_a_busy_mail_server_is_tried_again_and_some_refused_receivers_are_told() -> None:
    """Who was accepted has it."""
    async with (
        mail_receiver(busy=1) as mail,
        mailing(mail, "a@own.test", "x@refused.test") as notifier,
    ):
        with pytest.raises(TryAgain, match="smtp_451"):
            await notifier.send("soc", letter())
        assert await notifier.send("soc", letter()) == "The mail server refused 1 of the receivers."
    assert mail.receivers == [["a@own.test"]]


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_server_is_spoken_to_encrypted_and_only_if_its_certificate_is_known(
    tmp_path: Path, *, is_known: bool
) -> None:
    """With STARTTLS; a password goes to no server whose certificate nobody vouches for."""
    context, authority = certificate(tmp_path)
    said = {
        "kind": "mail",
        "host": "127.0.0.1",
        "sender": "s@own.test",
        "to": ["a@own.test"],
        "user": "u",
        "password": "p",
    }
    async with mail_receiver(
        tls_context=context, require_starttls=True, authenticator=let_in, auth_required=True
    ) as receiver:
        known = {"ca": authority} if is_known else {}
        async with Notifier(
            {"soc": READ.validate_python({**said, "port": receiver.port, **known})}
        ) as notifier:
            if is_known:
                await notifier.send("soc", letter())
            else:
                with pytest.raises(TryAgain, match="not_encrypted"):
                    await notifier.send("soc", letter())
    assert len(receiver.mails) == is_known


def let_in(*_: object) -> AuthResult:
    """Take any password."""
    return AuthResult(success=True)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate of this machine, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    )
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    authority = folder / "ca.pem"
    authority.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    file.write_bytes(authority.read_bytes() + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, authority


async def test_a_server_without_encryption_gets_nothing(mail: MailReceiver) -> None:
    """Neither password nor mail leaves in clear."""
    said = {
        "kind": "mail",
        "host": "127.0.0.1",
        "port": mail.port,
        "sender": "s@own.test",
        "to": ["a@own.test"],
    }
    async with Notifier(
        {"soc": READ.validate_python({**said, "user": "u", "password": "p"})}
    ) as notifier:
        with pytest.raises(TryAgain):
            await notifier.send("soc", letter())
    assert mail.mails == []
