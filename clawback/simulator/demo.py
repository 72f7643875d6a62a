"""The demo corpus: a day of synthetic mail at an invented company.

It has clean mail, bulk, spam, two campaigns of business email compromise, credential phishing from
recurring senders, quarantined malware, and user reports of these. Domains of attackers end in
`.test`, all others in `.example`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from clawback.simulator.responses import format_time
from clawback.simulator.synthetic import Draft, corpus_line, digest

COMPANY = "halden-instruments.example"
_PEOPLE = (
    "ana.lind",
    "bo.ferrer",
    "chidi.okafor",
    "dana.weiss",
    "eino.salo",
    "fay.moreau",
    "gus.pereira",
    "hana.kato",
)
_DAY = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class _Wave:
    """A message, its number of copies, and how many of them their recipients report."""

    draft: Draft
    copies: int = 1
    reported: int = 0


def _clean(sender: str, from_name: str, subject: str) -> _Wave:
    return _Wave(Draft(sender, from_name, subject))


def _bulk(sender: str, from_name: str, subject: str) -> _Wave:
    return _Wave(
        Draft(
            sender,
            from_name,
            subject,
            "BULK",
            "Bulk mailing with an unsubscribe link",
            "UnsolicitedBulk",
        )
    )


def _spam(sender: str, from_name: str, subject: str) -> _Wave:
    return _Wave(
        Draft(
            sender,
            from_name,
            subject,
            "SPAM",
            "Content typical of spam",
            "UnsolicitedBulk",
            authentication="none",
        )
    )


_CREDENTIALS = Draft(
    "it-desk@halden-login.test",
    "IT Service Desk",
    "Your password expires today",
    "MALICIOUS",
    "Link to a page that collects passwords",
    "CredentialHarvester",
    link="https://halden-login.test/renew",
    authentication="fail",
)
_INVOICE = Draft(
    "j.ruiz@ruiz-partners.test",
    "Julia Ruiz (CFO)",
    "Confidential: supplier payment before noon",
    "MALICIOUS-BEC",
    "Imitates an executive and asks for a payment",
    "BusinessEmailCompromise",
    reply_to="julia.ruiz.office@mailbox-fast.test",
)
_PAYROLL = Draft(
    "chidi.okafor@staff-portal.test",
    "Chidi Okafor",
    "New account for my salary",
    "MALICIOUS-BEC",
    "Imitates an employee and asks to change payroll details",
    "BusinessEmailCompromise",
    authentication="none",
)
_MALWARE = Draft(
    "scan@copier-relay.test",
    "Office Copier",
    "Scanned document 0412",
    "MALICIOUS",
    "Archive with a script inside",
    "Malware",
    attachment="scan_0412.zip",
    quarantined=True,
)

_WAVES = (
    _clean("orders@brightpath-optics.example", "Brightpath Optics", "Order 88213 has shipped"),
    _clean("mira@lakeside-legal.example", "Mira Toth", "Draft of the lease, page 4"),
    _clean("no-reply@rail-tickets.example", "Rail Tickets", "Your tickets for Thursday"),
    _clean(f"fay.moreau@{COMPANY}", "Fay Moreau", "Notes from the calibration review"),
    _clean("support@cloud-ledger.example", "Cloud Ledger", "Case 5521 was closed"),
    _clean("quartz@metro-metrology.example", "Quartz Nguyen", "Re: tolerance of the new gauge"),
    _clean(f"eino.salo@{COMPANY}", "Eino Salo", "Lunch on Friday?"),
    _clean("events@sensor-forum.example", "Sensor Forum", "Your talk was accepted"),
    _bulk("news@lab-supplies.example", "Lab Supplies Weekly", "Eight offers for your bench"),
    _bulk("digest@optics-today.example", "Optics Today", "This week in photonics"),
    _bulk("hello@coffee-cart.example", "Coffee Cart", "Beans at half price"),
    _bulk("updates@design-tool.example", "Design Tool", "What is new in version 12"),
    _spam("win@prize-parade.test", "Prize Parade", "You were drawn: claim your voucher"),
    _spam("sales@cheap-toner.test", "Toner Outlet", "Toner 80% off, last hours"),
    _spam("seo@rank-higher.test", "Rank Higher", "Your site is not on page one"),
    _Wave(_CREDENTIALS, copies=4, reported=1),
    _Wave(
        replace(
            _CREDENTIALS,
            sender="quota@mail-storage.test",
            from_name="Mailbox Quota",
            subject="Your mailbox is 99% full",
        ),
        copies=3,
    ),
    _Wave(
        replace(
            _CREDENTIALS,
            sender="share@docs-review.test",
            from_name="Docs",
            subject="A document was shared with you",
            attachment="open.html",
        ),
        copies=3,
        reported=1,
    ),
    _Wave(_INVOICE, copies=5, reported=2),
    _Wave(_PAYROLL, copies=2),
    _Wave(_MALWARE, copies=2),
    _Wave(
        Draft(
            "delivery@parcel-desk.test",
            "Parcel Desk",
            "Your parcel is waiting for a fee",
            "SUSPICIOUS",
            "Link to a domain registered this week",
            link="https://parcel-desk.test/fee",
        ),
        copies=2,
    ),
    _Wave(
        Draft(
            f"hana.kato@{COMPANY.replace('l', '1')[:-8]}.test",
            "Hana Kato",
            "Can you reply quickly?",
            "SPOOF",
            "Domain that looks like ours",
            authentication="fail",
        ),
        copies=2,
    ),
    _Wave(
        Draft(
            "bank@secure-notice.test",
            "Your Bank",
            "Unusual sign-in",
            "MALICIOUS",
            "Imitates a bank",
            "CredentialHarvester",
            link="https://secure-notice.test/",
        ),
        copies=1,
        reported=1,
    ),
)


def demo_corpus(seed: int = 0, *, end: datetime | None = None) -> Iterator[dict[str, Any]]:
    """Generate the messages and reports of a day that ends at `end` (default: now), in order.

    A report follows its message and refers to it by `fields.postfix_id`.
    """
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    last = end or datetime.now(UTC)
    entries = [entry for wave in _WAVES for entry in _entries(wave, random)]
    random.shuffle(entries)
    step = _DAY / len(entries)

    for number, (draft, edf_hash, reported) in enumerate(entries):
        at = last - _DAY + step * number
        line = corpus_line(draft, [f"{random.choice(_PEOPLE)}@{COMPANY}"], at, random, edf_hash)
        yield line
        if reported:
            yield {"report": _report(line["message"], draft, at + step / 2, random)}


def _entries(wave: _Wave, random: Random) -> list[tuple[Draft, str, bool]]:
    edf_hash = digest(random)
    return [(wave.draft, edf_hash, number < wave.reported) for number in range(wave.copies)]


def _report(message: dict[str, Any], draft: Draft, at: datetime, random: Random) -> dict[str, Any]:
    return {
        "id": random.randrange(10**6, 10**9),
        "title": f"Reported: {draft.subject}",
        "content": f"An employee reported a message from {draft.from_name}. {draft.reason}.",
        "priority": "high" if draft.disposition.startswith("MALICIOUS") else "medium",
        "disposition": draft.disposition,
        "fields": {
            "to": message["to"],
            "from": draft.sender,
            "postfix_id": message["postfix_id"],
            "occurred_at": message["scanned_at"],
        },
        "created_at": format_time(at),
        "updated_at": format_time(at),
        "tags": [{"category": "source", "value": "user report"}],
    }
