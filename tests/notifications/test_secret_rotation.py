"""Secrets of channels that change while they are used: the next delivery has the new one."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from standardwebhooks import Webhook

from clawback.notifications import Notifier
from clawback.notifications.channel_file import parse_channels
from clawback.notifications.errors import DeliveryRejected
from tests.certificates import issue
from tests.notifications.receivers import MailReceiver, mail_receiver, web_receiver
from tests.notifications.samples import KEY, build_notification

NEW_KEY = "whsec_NzY1NDMyMTA5ODc2NTQzMjEwOTg3NjU0MzIxMDk4NzY="


def notifier(**channel: Any) -> Notifier:
    """A notifier with one channel, `soc`."""
    return Notifier(parse_channels({"soc": channel}))


async def test_the_next_webhook_is_signed_with_the_new_key(tmp_path: Path) -> None:
    """A key that no receiver could verify changes nothing."""
    (file := tmp_path / "key").write_text(KEY)
    with web_receiver() as web:
        async with notifier(kind="webhook", url=web.url, key={"file": str(file)}) as channels:
            for text, key in ((KEY, KEY), (NEW_KEY, NEW_KEY), ("whsec_short", NEW_KEY)):
                file.write_text(f"{text}\n")
                await channels.send("soc", build_notification())
                headers, body = web.requests[-1]
                assert Webhook(key).verify(body, headers)["type"] == "case.done"


async def test_the_next_message_goes_to_the_new_url(tmp_path: Path) -> None:
    """The URL of a chat is its secret; one in clear to another machine is not used."""
    with web_receiver() as first, web_receiver() as second:
        (file := tmp_path / "url").write_text(first.url)
        async with notifier(kind="slack", url={"file": str(file)}) as channels:
            for url in (first.url, second.url, "http://hooks.example.test/new"):
                file.write_text(url)
                await channels.send("soc", build_notification())
    assert (len(first.requests), len(second.requests)) == (1, 2)


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[tuple[MailReceiver, list[bytes]]]:
    """A mail server that requires the last password of a list; `server.pem` is its certificate."""
    passwords = [b"first"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue(tmp_path, "server").files)

    def check(*said: Any) -> AuthResult:
        login: LoginPassword = said[-1]
        return AuthResult(success=login.password == passwords[-1], handled=False)

    async with mail_receiver(
        tls_context=context, require_starttls=True, authenticator=check, auth_required=True
    ) as receiver:
        yield receiver, passwords


async def test_the_next_mail_is_sent_with_the_new_password(
    mail: tuple[MailReceiver, list[bytes]], tmp_path: Path
) -> None:
    """The old one is refused from then on, so that nothing else can have been sent."""
    receiver, passwords = mail
    (file := tmp_path / "password").write_text("first")
    server = {"host": "127.0.0.1", "port": receiver.port, "ca": tmp_path / "server.pem"}
    login = {"user": "u", "password": {"file": str(file)}}
    async with notifier(
        kind="mail", sender="s@own.test", to=["a@own.test"], **server, **login
    ) as channels:
        await channels.send("soc", build_notification())
        passwords.append(b"second")
        with pytest.raises(DeliveryRejected, match="unauthenticated"):
            await channels.send("soc", build_notification())
        file.write_text("second")
        await channels.send("soc", build_notification())
    assert len(receiver.mails) == 2
