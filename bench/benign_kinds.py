"""The kinds of benign mail, each with its share: who sends it, from where, and what is in it.

Names of services are real, because rules know brands by name; people and companies are invented.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.benign_writer import COLLEAGUES, COMPANY, Mail, Proof, Writer

PDF = "application/pdf"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mail, its weight among all, and how it is written."""

    name: str
    weight: int
    compose: Callable[[Writer], Mail]


class Service(NamedTuple):
    """A service that writes to its users: display name, address and registered domain."""

    name: str
    address: str
    domain: str


SHOPS = (
    Service("service@paypal.com", "service@paypal.com", "paypal.com"),
    Service("Amazon.com", "auto-confirm@amazon.com", "amazon.com"),
    Service("Apple", "no_reply@email.apple.com", "apple.com"),
    Service("Uber Receipts", "noreply@uber.com", "uber.com"),
    Service("Stripe", "receipts+acct@stripe.com", "stripe.com"),
    Service("Norton", "no-reply@norton.com", "norton.com"),
    Service("Geek Squad", "orders@geeksquad.com", "geeksquad.com"),
)
ACCOUNTS = (
    Service("Microsoft account team", "account-security-noreply@microsoft.com", "microsoft.com"),
    Service("LinkedIn", "security-noreply@linkedin.com", "linkedin.com"),
    Service("Dropbox", "no-reply@dropbox.com", "dropbox.com"),
    Service("GitHub", "noreply@github.com", "github.com"),
    Service("Google", "no-reply@accounts.google.com", "google.com"),
    Service("Netflix", "info@account.netflix.com", "netflix.com"),
    Service("Spotify", "no-reply@spotify.com", "spotify.com"),
    Service("Zoom", "no-reply@zoom.us", "zoom.us"),
)
SIGNERS = (
    Service("{} via DocuSign", "dse_na4@docusign.net", "docusign.net"),
    Service("{} via Docusign", "dse@eumail.docusign.net", "docusign.net"),
    Service("{} via Adobe Acrobat Sign", "adobesign@adobesign.com", "adobesign.com"),
)
SHARERS = (
    Service("{} (via Google Drive)", "drive-shares-dm-noreply@google.com", "google.com"),
    Service("{}", "no-reply@sharepointonline.com", "sharepointonline.com"),
    Service("{} via Dropbox", "no-reply@dropbox.com", "dropbox.com"),
    Service("WeTransfer", "noreply@wetransfer.com", "wetransfer.com"),
    Service("{} (via Canva)", "no-reply@canva.com", "canva.com"),
)
CARRIERS = (
    Service("DHL", "noreply@dhl.com", "dhl.com"),
    Service("FedEx", "trackingupdates@fedex.com", "fedex.com"),
    Service("UPS", "mcinfo@ups.com", "ups.com"),
)


def invoice(writer: Writer) -> Mail:
    """Bills come from companies, some without DMARC, and from services that write for them."""
    name, subject = writer.company, writer.subject("invoice")
    attachments: tuple[tuple[str, str, int], ...] = (writer.pdf("invoice"),)
    if writer.chance(0.15):
        service = "quickbooks@notification.intuit.com"
        return _of_service(
            writer, Service(name, service, "intuit.com"), subject, reply_to=writer.address
        )
    if writer.chance(0.06):  # a small trade, which writes as it can
        return Mail(
            f"info@{writer.domain}",
            name,
            subject,
            reply_to=writer.private_address,
            registered_domain=_registered(writer),
            attachments=attachments,
            proof=writer.proof(none=0.6),
        )
    if writer.chance(0.2):
        attachments += (writer.file("zugferd.xml", "application/xml", 20_000),)

    sender = f"accounting@{writer.domain}"
    mail = _of_company(writer, sender, name, subject, writer.proof(none=0.1))
    return replace(mail, attachments=attachments)


def reminder(writer: Writer) -> Mail:
    """Overdue payments, from a person who keeps the accounts."""
    attachments = (writer.pdf("statement"),) if writer.chance(0.6) else ()
    name, subject = writer.titled(), writer.subject("reminder")
    proof = writer.proof(none=0.12, fail=0.01)
    mail = _of_company(writer, writer.address, name, subject, proof)
    return replace(mail, attachments=attachments)


def receipt(writer: Writer) -> Mail:
    """Receipts of shops; those of a payment service are answered by the shop."""
    shop = writer.random.choice(SHOPS)
    reply_to = f"orders@{writer.domain}" if shop.name == "Stripe" else None
    name = writer.company if shop.name == "Stripe" else shop.name
    mail = _of_service(writer, shop, writer.subject("receipt"), reply_to=reply_to)
    return replace(mail, from_name=name)


def calendar(writer: Writer) -> Mail:
    """Invitations, from the program of the person or from a service in their name."""
    invitation = writer.file("invite.ics", "text/calendar", 9_000)
    subject = writer.subject("calendar")
    if writer.chance(0.4):
        google = Service(writer.person, "calendar-notification@google.com", "google.com")
        mail = _of_service(writer, google, subject, reply_to=writer.address)
        return replace(mail, attachments=(invitation,))

    mail = _of_company(writer, writer.address, writer.titled(), subject)
    return replace(mail, attachments=(invitation,))


def password(writer: Writer) -> Mail:
    """Resets and confirmations, each with a link to the service."""
    return _of_service(writer, writer.random.choice(ACCOUNTS), writer.subject("password"))


def code(writer: Writer) -> Mail:
    """Codes to sign in with."""
    return _of_service(writer, writer.random.choice(ACCOUNTS), writer.subject("code"))


def signature(writer: Writer) -> Mail:
    """A service asks in the name of a person, who reads the answers."""
    service, subject = writer.random.choice(SIGNERS), writer.subject("signature")
    return _of_service(writer, service, subject, reply_to=writer.address)


def share(writer: Writer) -> Mail:
    """Shared files: of services, and links that people send themselves."""
    subject = writer.subject("share")
    if writer.chance(0.12):
        host = writer.random.choice(("s3.amazonaws.com", "storage.googleapis.com"))
        link = (f"https://{host}/{writer.domain}/{writer.code}.pdf", None)
        proof = writer.proof(none=0.2)
        mail = _of_company(writer, writer.address, writer.person, subject, proof)
        return replace(mail, links=(link,))

    reply_to = writer.address if writer.chance(0.8) else writer.private_address
    return _of_service(writer, writer.random.choice(SHARERS), subject, reply_to=reply_to)


def bounce(writer: Writer) -> Mail:
    """Reports of delivery, from nobody, with the message that came back."""
    original = ("original.eml", "message/rfc822", 6_000)
    status = ("details.txt", "message/delivery-status", 800)
    return Mail(
        f"MAILER-DAEMON@mx.{writer.domain}",
        "Mail Delivery System",
        writer.subject("bounce"),
        body=writer.code,
        registered_domain=_registered(writer),
        attachments=(status, original),
        headers={"Auto-Submitted": "auto-replied"},
        proof=writer.proof(none=0.7),
    )


def newsletter(writer: Writer) -> Mail:
    """A mailing service sends to many; links go through its click counter."""
    counter = f"https://click.mailer-{writer.random.randrange(3)}.example/{writer.code}"
    shown = f"www.{_registered(writer)}" if writer.chance(0.5) else None
    elsewhere = f"feedback@{as_mailer(writer)}" if writer.chance(0.3) else None
    return Mail(
        f"news@{writer.domain}",
        writer.company,
        writer.subject("newsletter"),
        body=writer.code,
        reply_to=elsewhere,
        envelope=f"bounces+{writer.code}@{as_mailer(writer)}",
        registered_domain=_registered(writer),
        verdict=writer.random.choices(("BULK", "NONE", "SPAM"), (80, 15, 5))[0],
        copies=writer.random.choice((1, 1, 2, 5, 12)),
        links=((counter, shown), (f"{counter}/unsubscribe", "Unsubscribe")),
        headers={
            "List-Unsubscribe": f"<{counter}/unsubscribe>",
            "Precedence": "bulk",
            "List-Id": f"<news.{_registered(writer)}>",
        },
        proof=writer.proof(none=0.05),
    )


def shipping(writer: Writer) -> Mail:
    """Parcels."""
    return _of_service(writer, writer.random.choice(CARRIERS), writer.subject("shipping"))


def ticket(writer: Writer) -> Mail:
    """A help desk answers; its Reply-To leads to the service that runs it."""
    number = writer.random.randrange(10**5)
    subject = writer.subject("ticket")
    mail = _of_company(writer, f"support@{writer.domain}", f"{writer.company} Support", subject)
    headers = writer.answer() if writer.chance(0.8) else {}
    return replace(mail, reply_to=f"support+id{number}@helpdesk.example", headers=headers)


def thread(writer: Writer) -> Mail:
    """Correspondence with partners; a few mail programs forget which message they answer."""
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    sheet = "application/vnd.ms-excel.sheet.macroEnabled.12"
    attachments: Sequence[tuple[str, str, int]] = ()
    if writer.chance(0.3):
        attachments = (writer.file(f"{writer.topic}.docx", word),)
    elif writer.chance(0.03):
        attachments = (writer.file(f"{writer.topic}.xlsm", sheet),)

    subject, name = writer.subject("thread"), writer.titled()
    proof = writer.proof(none=0.1, fail=0.02)
    mail = _of_company(writer, writer.address, name, subject, proof)
    headers = writer.answer() if writer.chance(0.93) else {}
    return replace(mail, attachments=tuple(attachments), headers=headers)


def auto_reply(writer: Writer) -> Mail:
    """Absences."""
    subject = writer.subject("auto_reply")
    mail = _of_company(writer, writer.address, writer.titled(), subject)
    return replace(mail, envelope=None, headers={"Auto-Submitted": "auto-replied"})


def bank(writer: Writer) -> Mail:
    """Statements, some as encrypted mail: a web page that opens with a password."""
    subject = writer.subject("bank")
    name = f"{writer.company} Bank"
    if writer.chance(0.25):
        page = writer.file("securedoc.html", HTML, 90_000)
        mail = _of_company(
            writer, f"secure@{writer.domain}", name, subject, writer.proof(none=0.15)
        )
        return replace(mail, attachments=(page,))
    return _of_company(writer, f"service@{writer.domain}", name, subject)


def personal(writer: Writer) -> Mail:
    """People write from home: applications, pictures, and the new bank account."""
    cv = (writer.file("cv.pdf", PDF),) if writer.chance(0.5) else ()
    return Mail(
        writer.private_address,
        writer.person,
        writer.subject("personal"),
        body=writer.code,
        registered_domain="gmail.com",
        attachments=cv,
    )


def internal(writer: Writer) -> Mail:
    """Colleagues, a printer, and a survey service that nobody added to the SPF record."""
    colleague = writer.random.choice(COLLEAGUES)
    name = colleague.replace(".", " ").title()
    if writer.chance(0.05):
        name = f"{name} (CFO)"
    scan = (writer.pdf("scan"),) if writer.chance(0.2) else ()
    return Mail(
        f"{colleague}@{COMPANY}",
        name,
        writer.subject("internal"),
        body=writer.code,
        registered_domain=COMPANY,
        attachments=scan,
        ip="10.20.0.5",
        copies=writer.random.choice((1, 1, 1, 3, 15)),
        proof=writer.proof(none=0.3, fail=0.02),
    )


def development(writer: Writer) -> Mail:
    """Code hosting and issue trackers write in the name of people."""
    github = Service(writer.person, "notifications@github.com", "github.com")
    reply_to = f"reply+{writer.code}@reply.github.com"
    mail = _of_service(writer, github, writer.subject("development"), reply_to=reply_to)
    list_id = f"halden/{writer.repository} <{writer.repository}.halden.github.com>"
    return replace(mail, headers={"List-Id": list_id, **writer.answer()})


def mailing_list(writer: Writer) -> Mail:
    """A list changes the subject, breaks DMARC and takes the answers."""
    name = f"{writer.repository}-users"
    headers = {"List-Id": f"<{name}.lists.example>", "Precedence": "list"}
    return Mail(
        writer.address if writer.chance(0.8) else writer.private_address,
        writer.person,
        writer.subject("list"),
        body=writer.code,
        reply_to=f"{name}@lists.example",
        envelope=f"{name}-bounces@lists.example",
        addressed_to=f"{name}@lists.example",
        registered_domain=_registered(writer),
        verdict="BULK" if writer.chance(0.4) else "NONE",
        copies=writer.random.choice((1, 1, 2)),
        headers={**headers, **(writer.answer() if writer.chance(0.7) else {})},
        proof=writer.proof(none=0.2, fail=0.35),
    )


def voice(writer: Writer) -> Mail:
    """Voice messages and faxes."""
    ring = Service("RingCentral", "notify@ringcentral.com", "ringcentral.com")
    recording = writer.file(f"message-{writer.code}.wav", "audio/wav", 900_000)
    return replace(_of_service(writer, ring, writer.subject("voice")), attachments=(recording,))


def as_mailer(writer: Writer) -> str:
    """Name one of the mailing services."""
    return f"mailer-{writer.random.randrange(3)}.example"


def _of_service(
    writer: Writer, service: Service, subject: str, *, reply_to: str | None = None
) -> Mail:
    link = f"https://www.{service.domain}/{writer.language}/{writer.code}"
    return Mail(
        service.address,
        service.name.format(writer.person),
        subject,
        body=writer.code,
        reply_to=reply_to,
        envelope=f"bounce-{writer.code}@{service.address.rpartition('@')[2]}",
        registered_domain=service.domain,
        ip="198.51.100.40",
        links=((link, service.name.format(writer.person)),),
    )


def _of_company(
    writer: Writer, sender: str, name: str, subject: str, proof: Proof | None = None
) -> Mail:
    return Mail(
        sender,
        name,
        subject,
        body=writer.code,
        envelope=sender,
        registered_domain=_registered(writer),
        links=((f"https://www.{_registered(writer)}/", f"www.{_registered(writer)}"),),
        proof=proof or writer.proof(none=0.08),
    )


def _registered(writer: Writer) -> str:
    return writer.domain.removeprefix("mail.")


KINDS = (
    Kind("invoice", 11, invoice),
    Kind("reminder", 3, reminder),
    Kind("receipt", 7, receipt),
    Kind("calendar", 9, calendar),
    Kind("password", 4, password),
    Kind("code", 4, code),
    Kind("signature", 5, signature),
    Kind("share", 6, share),
    Kind("bounce", 3, bounce),
    Kind("newsletter", 8, newsletter),
    Kind("shipping", 4, shipping),
    Kind("ticket", 4, ticket),
    Kind("thread", 14, thread),
    Kind("auto_reply", 3, auto_reply),
    Kind("bank", 3, bank),
    Kind("personal", 3, personal),
    Kind("internal", 10, internal),
    Kind("development", 5, development),
    Kind("list", 5, mailing_list),
    Kind("voice", 2, voice),
)
"""Every kind of mail that is generated."""
