"""Letters as mail. Blocks on the network: call it from a thread."""

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from clawback.notifications.channels import MailChannel
from clawback.notifications.errors import Refused, TryAgain
from clawback.notifications.rendering import RenderedNotification

_PATIENCE = 20.0
_FOR_EVER = 500


def mail_of(letter: RenderedNotification, channel: MailChannel) -> EmailMessage:
    """Write a letter as a mail.

    Its Message-ID is the same at every attempt, so that a mailbox can drop a repeat.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = channel.sender
    mail["To"] = letter.to or ", ".join(channel.to)
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(letter.facts.at)
    mail["Message-ID"] = f"<{letter.id}@{parseaddr(channel.sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(
        f"{letter.text}\n\n{letter.link}\n"
        if letter.link and letter.to is None
        else f"{letter.text}\n"
    )
    if letter.picture:
        mail.add_attachment(letter.picture, maintype="image", subtype="png", filename="message.png")
    return mail


def send_mail(letter: RenderedNotification, channel: MailChannel) -> str | None:
    """Hand a mail over to the channel's server.

    The answer says so where some of its receivers were refused.

    Raises:
        Refused: the server will not take it, whenever it is asked.
        TryAgain: the server is away, busy, or does not know us.

    """
    if letter.to is None and not channel.to:
        raise Refused("nobody_to_write_to")
    try:
        with _connected(channel) as server:
            if channel.user is not None and channel.password is not None:
                server.login(channel.user, channel.password.get_secret_value())
            refused = server.send_message(mail_of(letter, channel))
    except smtplib.SMTPAuthenticationError:
        raise TryAgain("unauthenticated") from None
    except smtplib.SMTPRecipientsRefused as error:
        is_final = all(code >= _FOR_EVER for code, _ in error.recipients.values())
        raise (Refused if is_final else TryAgain)("receivers_refused") from None
    except smtplib.SMTPResponseException as error:
        raise (Refused if error.smtp_code >= _FOR_EVER else TryAgain)(
            f"smtp_{error.smtp_code}"
        ) from None
    except ssl.SSLError:
        raise TryAgain("not_encrypted") from None
    except (smtplib.SMTPException, OSError):
        raise TryAgain("unavailable") from None
    return f"The mail server refused {len(refused)} of the receivers." if refused else None


def _connected(channel: MailChannel) -> smtplib.SMTP:
    """Connect, encrypted by a certificate that is checked, unless the channel is on this machine and says otherwise."""
    context = ssl.create_default_context(cafile=channel.ca)
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=_PATIENCE, context=context)
    server = smtplib.SMTP(channel.host, channel.port, timeout=_PATIENCE)
    if channel.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server
