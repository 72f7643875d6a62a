"""Generates a month of benign mail of today at an invented company, as corpus lines.

Invoices, receipts, calendars, password resets, signatures, shares, bounces, newsletters and more,
in nine languages. It contains what makes rules fail: partners without DMARC, mailing lists that
break it, services that write for others with a Reply-To elsewhere, links through click counters,
encrypted mail as HTML attachments, employees who write from home. The same seed gives the same
mail.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bench.benign_kinds import KINDS
from bench.benign_writer import COLLEAGUES, COMPANY, Mail, Writer
from clawback.simulator.responses import format_time

MESSAGES = 2_400
SEED = 12
_START = datetime(2026, 10, 5, 6, tzinfo=UTC)
_DAYS = 30
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
_PAUSE = timedelta(seconds=3)


def benign_mail(count: int = MESSAGES, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """Generate messages of all kinds, oldest first; copies to several mailboxes count each."""
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    written = 0
    while written < count:
        at = _START + timedelta(days=_DAYS) * (written / count)
        kind = random.choices(list(KINDS), [one.weight for one in KINDS])[0]
        writer = Writer(random, at)
        mail = kind.compose(writer)
        copies = min(mail.copies, count - written)
        for number, recipient in enumerate(random.sample(COLLEAGUES, copies)):
            yield _line(mail, kind.name, f"{recipient}@{COMPANY}", at + _PAUSE * number, random)
        written += copies


def _line(mail: Mail, kind: str, recipient: str, at: datetime, random: Random) -> dict[str, Any]:
    postfix_id = "4" + "".join(random.choices(_ALPHABET, k=15))
    message_id = f"<{random.getrandbits(96):024x}@{mail.sender.rpartition('@')[2]}>"
    validation = {**mail.proof._asdict(), "comment": None}
    scanned = format_time(at)
    message = {
        "id": f"{postfix_id}-{at:%Y-%m-%dT%H:%M:%S}-{random.randrange(10**7, 10**8)}",
        "postfix_id": postfix_id,
        "message_id": message_id,
        "alert_id": None,
        "from": mail.sender,
        "from_name": mail.from_name,
        "to": [mail.addressed_to or recipient],
        "to_name": [],
        "replyto": mail.reply_to,
        "envelope_from": mail.envelope,
        "envelope_to": [recipient],
        "client_recipients": [recipient],
        "subject": mail.subject,
        "sent_at": format_time(at - timedelta(seconds=random.randint(1, 90))),
        "scanned_at": scanned,
        "delivery_mode": "API",
        "delivery_status": ["delivered"],
        "final_disposition": mail.verdict,
        "detection_reasons": [],
        "threat_categories": [],
        "edf_hash": _hash(kind, mail.sender, mail.body),
        "htmltext_structure_hash": _hash(kind, mail.sender),
        "is_phish_submission": False,
        "is_quarantined": False,
        "post_delivery_operations": [],
        "properties": {},
        "postfix_id_outbound": None,
        "smtp_helo_server_ip": mail.ip,
        "smtp_previous_hop_ip": mail.ip,
        "x_originating_ip": None,
        "validation": validation,
    }
    return {"message": message, "detections": _detections(mail, message, random)}


def _detections(mail: Mail, message: Mapping[str, Any], random: Random) -> dict[str, Any]:
    reply_to = {"Reply-To": mail.reply_to} if mail.reply_to else {}
    headers = {
        "Return-Path": f"<{mail.envelope or ''}>",
        "From": f"{mail.from_name} <{mail.sender}>",
        "To": ", ".join(message["to"]),
        "Subject": mail.subject,
        "Message-Id": message["message_id"],
        **reply_to,
        **mail.headers,
    }
    return {
        "action": "DELIVERED",
        "final_disposition": mail.verdict,
        "attachments": [
            {
                "name": name,
                "filename": name,
                "content_type": content_type,
                "size": size,
                "encrypted": False,
                "detection": None,
                "md5": f"{random.getrandbits(128):032x}",
                "sha1": f"{random.getrandbits(160):040x}",
                "sha256": f"{random.getrandbits(256):064x}",
            }
            for name, content_type, size in mail.attachments
        ],
        "links": [{"href": href, "text": text} for href, text in mail.links],
        "findings": [],
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "sender_info": {
            "ip": mail.ip,
            "as_name": None,
            "as_number": None,
            "geo": None,
            "pld": mail.registered_domain,
        },
        "threat_categories": [],
        "validation": message["validation"],
    }


def _hash(*parts: str) -> str:
    return hashlib.sha1("\0".join(parts).encode(), usedforsecurity=False).hexdigest()
