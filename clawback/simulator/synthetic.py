"""Making corpus lines for mail that never was.

Names of the invented end in `.test` or `.example`; addresses of hosts are from RFC 5737.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

from clawback.simulator.envelopes import stamp

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Draft:
    """What one kind of mail says, whoever receives it."""

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
        """The domain of the sender."""
        return self.sender.rpartition("@")[2]


def corpus_line(
    draft: Draft, recipients: list[str], at: datetime, random: Random, edf_hash: str
) -> dict[str, Any]:
    """The corpus line of a mail scanned at that time; copies of one body share its `edf_hash`.

    Benign mail has no detections.
    """
    line: dict[str, Any] = {"message": _message(draft, recipients, at, random) | _hashes(edf_hash)}
    return line | {"detections": _detections(draft, random)} if draft.reason else line


def digest(random: Random, bits: int = 160) -> str:
    """A random hash, hexadecimal."""
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
        "sent_at": stamp(sent),
        "scanned_at": stamp(at),
        "ts": stamp(at),
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
