"""Derived fields: what rules may ask of a record that follows from its other fields.

Each belongs to the object that its sources belong to, by its name alone: `from_domain` to a
message, `href_domain` to a link. Nothing here raises, whatever a record holds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clawback.model.domains import domain_of_address, domain_of_link
from clawback.model.mailboxes import canonical_mailbox
from clawback.model.memo import memoized
from clawback.model.notations import canonical_address
from clawback.model.times import EARLIEST, parse_time

Derive = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a field is derived.

    `derive` takes one value of the source, or (`is_whole`) the object that has the sources. It
    gives None where the source has no value.
    """

    sources: tuple[str, ...]
    derive: Derive
    is_whole: bool = False


def _of_text(derive: Callable[[str], str | None]) -> Derive:
    return lambda value: derive(value) if value.__class__ is str else None


def _count(name: str) -> Derive:
    def count(record: Any) -> int | None:
        detections = record.get("detections")
        if not isinstance(detections, Mapping):
            return None
        items = detections.get(name)
        return len(items) if isinstance(items, list) else 0 if items is None else 1

    return count


@memoized
def _mailbox(address: str) -> str | None:
    return canonical_mailbox(address) or None


_RECIPIENTS = ("to", "envelope_to", "client_recipients")


def _count_recipients(record: Any) -> int | None:
    found = [record.get(name) for name in _RECIPIENTS]
    if all(value is None for value in found):
        return None
    addresses = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return len({canonical_address(one) for one in addresses if isinstance(one, str)} - {""})


def _delay(record: Any) -> int | None:
    sent, scanned = parse_time(record.get("sent_at")), parse_time(record.get("scanned_at"))
    # The sender writes the one, and may write anything; the other is then no time at all.
    if scanned is None or scanned < EARLIEST:
        return None
    return int((scanned - sent).total_seconds()) if sent else None


DERIVATIONS: Mapping[str, Derivation] = {
    "from_domain": Derivation(("from",), _of_text(domain_of_address)),
    "replyto_domain": Derivation(("replyto",), _of_text(domain_of_address)),
    "envelope_domain": Derivation(("envelope_from",), _of_text(domain_of_address)),
    "from_mailbox": Derivation(("from",), _of_text(_mailbox)),
    "href_domain": Derivation(("href",), _of_text(domain_of_link)),
    "recipient_count": Derivation(_RECIPIENTS, _count_recipients, is_whole=True),
    "link_count": Derivation(("detections.links",), _count("links"), is_whole=True),
    "attachment_count": Derivation(
        ("detections.attachments",), _count("attachments"), is_whole=True
    ),
    "sent_delay": Derivation(("sent_at", "scanned_at"), _delay, is_whole=True),
}
"""All derived fields by the last part of their name."""


def derivation_of(name: str) -> Derivation | None:
    """Give the derivation of a field by its dotted name; None for a field of the API."""
    return DERIVATIONS.get(name.rpartition(".")[2])
