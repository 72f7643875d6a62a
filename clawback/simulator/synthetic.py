"""Synthetic mail as corpus lines, and an outbreak of it.

All names are invented and end in `.test` or `.example`; IP addresses are from RFC 5737.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

from clawback.simulator.responses import format_time

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of a message, apart from its recipients."""

    sender: str
    from_name: str
    subject: str
    disposition: str = "NONE"
    reason: str | None = None
    category: str | None = None
    reply_to: str | None = None
    link: str | None = None
    attachment: str | None = None
    authentication: str = "pass"
    quarantined: bool = False

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


CAMPAIGN = Draft(
    sender="accounts@vendor-payables.test",
    from_name="Accounts Payable",
    subject="Updated bank details for this month's invoice",
    disposition="MALICIOUS-BEC",
    reason="Request to change payment details from a new sender",
    category="BusinessEmailCompromise",
)
SPACING = timedelta(milliseconds=10)


def outbreak(
    count: int,
    seed: int = 0,
    *,
    start: datetime | None = None,
    disposition: str = CAMPAIGN.disposition,
    sender: str = CAMPAIGN.sender,
) -> Iterator[dict[str, Any]]:
    """Generate one campaign: messages with one sender, body (`edf_hash`) and verdict.

    Each goes to another mailbox of `corp.example`. They are scanned 10 ms apart, the first at
    `start`; by default the last one is scanned now.
    """
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    first = start or datetime.now(UTC) - SPACING * count
    draft = replace(CAMPAIGN, disposition=disposition, sender=sender)
    edf_hash = digest(random)

    for number in range(count):
        yield corpus_line(
            draft, [f"user{number:05d}@corp.example"], first + SPACING * number, random, edf_hash
        )


def campaigns(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Generate as many campaigns of one message each, with distinct senders, domains and bodies.

    They are scanned 10 ms apart, the last one now.
    """
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    first = datetime.now(UTC) - SPACING * count
    for number in range(count):
        draft = replace(CAMPAIGN, sender=f"accounts@vendor{number:05d}.test")
        recipients = [f"user{number:05d}@corp.example"]
        yield corpus_line(draft, recipients, first + SPACING * number, random, digest(random))


def corpus_line(
    draft: Draft, recipients: list[str], at: datetime, random: Random, edf_hash: str
) -> dict[str, Any]:
    """Build the corpus line of a message scanned at `at`. Copies of one body share `edf_hash`.

    Benign mail has no detections.
    """
    line: dict[str, Any] = {"message": _message(draft, recipients, at, random) | _hashes(edf_hash)}
    return line | {"detections": _detections(draft, random)} if draft.reason else line


def digest(random: Random, bits: int = 160) -> str:
    """Return a random hash, hexadecimal."""
    return f"{random.getrandbits(bits):0{bits // 4}x}"


def _message(draft: Draft, recipients: list[str], at: datetime, random: Random) -> dict[str, Any]:
    postfix_id = "4" + "".join(random.choices(_ALPHABET, k=15))
    sent = at - timedelta(seconds=random.randint(1, 5))
    return {
        "id": f"{postfix_id}-{at:%Y-%m-%dT%H:%M:%S}-{random.randrange(10**7, 10**8)}",
        "postfix_id": postfix_id,
        "message_id": f"<{random.getrandbits(64):016x}@{draft.domain}>",
        "alert_id": f"{postfix_id}-alert" if draft.reason else None,
        "from": draft.sender,
        "from_name": draft.from_name,
        "to": recipients,
        "to_name": [],
        "replyto": draft.reply_to,
        "envelope_from": draft.sender,
        "envelope_to": recipients,
        "client_recipients": recipients,
        "subject": draft.subject,
        "sent_at": format_time(sent),
        "scanned_at": format_time(at),
        "ts": format_time(at),
        "delivery_mode": "API",
        "delivery_status": ["quarantined" if draft.quarantined else "delivered"],
        "final_disposition": draft.disposition,
        "findings": _findings(draft),
        "detection_reasons": [draft.reason] if draft.reason else [],
        "threat_categories": [draft.category] if draft.category else [],
        "is_phish_submission": False,
        "is_quarantined": draft.quarantined,
        "action_log": [],
        "post_delivery_operations": [],
        "properties": {},
        "smtp_helo_server_ip": "203.0.113.7",
        "smtp_previous_hop_ip": "203.0.113.7",
        "x_originating_ip": None,
        "validation": _validation(draft),
    }


def _detections(draft: Draft, random: Random) -> dict[str, Any]:
    headers: Mapping[str, str] = {
        "From": f"{draft.from_name} <{draft.sender}>",
        "Subject": draft.subject,
    }
    return {
        "action": "QUARANTINED" if draft.quarantined else "DELIVERED",
        "final_disposition": draft.disposition,
        "attachments": [_attachment(draft.attachment, random)] if draft.attachment else [],
        "links": [{"href": draft.link, "text": urlsplit(draft.link).hostname}]
        if draft.link
        else [],
        "findings": _findings(draft),
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "sender_info": {
            "ip": "203.0.113.7",
            "as_name": "EXAMPLE-AS",
            "as_number": 64496,
            "geo": None,
            "pld": draft.domain,
        },
        "threat_categories": [{"id": 1, "name": draft.category, "description": None}]
        if draft.category
        else [],
        "validation": _validation(draft),
    }


def _hashes(edf_hash: str) -> dict[str, str]:
    return {"edf_hash": edf_hash, "htmltext_structure_hash": edf_hash[::-1]}


def _findings(draft: Draft) -> list[dict[str, Any]]:
    if not draft.reason:
        return []

    name = draft.reason.lower().replace(" ", "_")[:40]
    return [
        {
            "name": name,
            "detail": draft.reason,
            "score": 0.9,
            "detection": draft.disposition,
            "field": "body",
            "reason": draft.reason,
        }
    ]


def _attachment(name: str, random: Random) -> dict[str, Any]:
    hashes = {"md5": digest(random, 128), "sha1": digest(random), "sha256": digest(random, 256)}
    kind = {"pdf": "application/pdf", "html": "text/html", "zip": "application/zip"}.get(
        name.rpartition(".")[2], "application/octet-stream"
    )
    return {
        "name": name,
        "filename": name,
        "content_type": kind,
        "size": random.randint(2_000, 400_000),
        "encrypted": False,
        **hashes,
    }


def _validation(draft: Draft) -> dict[str, str | None]:
    return {
        "spf": draft.authentication,
        "dkim": draft.authentication,
        "dmarc": draft.authentication,
        "comment": None,
    }
