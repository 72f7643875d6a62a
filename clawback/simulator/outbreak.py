"""A synthetic outbreak: one campaign delivered to many mailboxes, for rehearsals and benches. Every name in it is invented."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from clawback.simulator.wire import stamp

SUBJECT = "Updated bank details for this month's invoice"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Campaign:
    """What the messages of one campaign have in common."""

    sender: str = "accounts@vendor-payables.test"
    disposition: str = "MALICIOUS-BEC"
    spacing: timedelta = timedelta(milliseconds=10)


def outbreak(count: int, seed: int = 0, *, start: datetime | None = None, campaign: Campaign = Campaign()) -> Iterator[dict[str, Any]]:
    """Give corpus lines of one campaign: the same sender, body (`edf_hash`) and verdict, each to another mailbox of `corp.example`.

    The first is scanned at `start` (default: so that the last one is scanned now), the others `campaign.spacing` apart.
    """
    random = Random(seed)  # noqa: S311 -- reproducible on purpose
    first = start or datetime.now(UTC) - campaign.spacing * count
    edf_hash = f"{random.getrandbits(160):040x}"
    for number in range(count):
        message = _message(random, number, first + campaign.spacing * number, campaign) | {"edf_hash": edf_hash}
        yield {"message": message, "detections": _detections(campaign)}


def _message(random: Random, number: int, at: datetime, campaign: Campaign) -> dict[str, Any]:
    postfix_id = "4" + "".join(random.choices(_ALPHABET, k=15))
    recipient = f"user{number:05d}@corp.example"
    return {
        "id": f"{postfix_id}-{at:%Y-%m-%dT%H:%M:%S}-{random.randrange(10**7, 10**8)}",
        "postfix_id": postfix_id,
        "message_id": f"<{random.getrandbits(64):016x}@{campaign.sender.rpartition('@')[2]}>",
        "alert_id": f"{postfix_id}-alert",
        "from": campaign.sender,
        "from_name": "Accounts Payable",
        "to": [recipient],
        "to_name": [],
        "replyto": None,
        "envelope_from": campaign.sender,
        "envelope_to": [recipient],
        "client_recipients": [recipient],
        "subject": SUBJECT,
        "sent_at": stamp(at - timedelta(seconds=2)),
        "scanned_at": stamp(at),
        "ts": stamp(at),
        "delivery_mode": "API",
        "delivery_status": ["delivered"],
        "final_disposition": campaign.disposition,
        "detection_reasons": ["Request to change payment details from a new sender"],
        "threat_categories": ["BusinessEmailCompromise"],
        "is_phish_submission": False,
        "is_quarantined": False,
        "action_log": [],
        "post_delivery_operations": [],
        "properties": {},
        "validation": {"spf": "pass", "dkim": "none", "dmarc": "none", "comment": None},
    }


def _detections(campaign: Campaign) -> dict[str, Any]:
    return {
        "action": "DELIVERED",
        "final_disposition": campaign.disposition,
        "attachments": [],
        "links": [],
        "findings": [
            {"name": "bec_payment_change", "detail": "Asks for changed bank details", "score": 0.97, "detection": campaign.disposition}
        ],
        "headers": [{"name": "From", "value": f"Accounts Payable <{campaign.sender}>"}, {"name": "Subject", "value": SUBJECT}],
        "sender_info": {"ip": "203.0.113.7", "as_name": None, "as_number": None, "geo": None, "pld": campaign.sender.rpartition("@")[2]},
        "threat_categories": [{"id": 1, "name": "BusinessEmailCompromise"}],
        "validation": {"spf": "pass", "dkim": "none", "dmarc": "none", "comment": None},
    }
