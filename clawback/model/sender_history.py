"""What a sender sent before a message: first time, messages, malicious ones, recipients. Pure.

Copies of the message itself do not count: they arrive within seconds, and only the first mailbox of
a campaign would have a sender without history.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, NamedTuple

from clawback.model.notations import canonical_address

HISTORY_SPAN = timedelta(days=30)
"""How far a history reaches back from its message."""
CAMPAIGN_SPAN = timedelta(days=1)
"""Messages with the same `edf_hash` within this time are copies of one campaign."""
_MOST_RECIPIENTS = 100
_LONGEST_SENDER = 320
_ROW = Struct("<dqq?B")
_RECIPIENT = Struct("<q")


class _Sighting(NamedTuple):
    """One message: its time in seconds since 1970, and hashes, which are 0 where nothing is."""

    at: float
    message_id: int
    edf_hash: int
    is_malicious: bool
    recipients: tuple[int, ...]


class SenderHistory:
    """The messages of one sender, packed: about 35 bytes each."""

    def __init__(self) -> None:
        self._rows = bytearray()

    @property
    def size(self) -> int:
        """How many bytes the messages take."""
        return len(self._rows)

    def add(self, record: Mapping[str, Any], at: datetime) -> None:
        """Add a message of the sender, scanned at a time."""
        *row, recipients = _see(record, at)
        self._rows += _ROW.pack(*row, len(recipients))
        for recipient in recipients:
            self._rows += _RECIPIENT.pack(recipient)

    def summarize(self, record: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Summarize what came before a message of the sender, as the fields below `history`."""
        before = list(self._before(_see(record, at)))
        return {
            "first_seen": _as_text(min(one.at for one in before)) if before else None,
            "messages": len(before),
            "malicious": sum(one.is_malicious for one in before),
            "recipients": len({recipient for one in before for recipient in one.recipients}),
        }

    def _before(self, message: _Sighting) -> Iterator[_Sighting]:
        earliest = message.at - HISTORY_SPAN.total_seconds()
        campaign = message.at - CAMPAIGN_SPAN.total_seconds()
        for one in self._unpack():
            is_copy = one.message_id == message.message_id != 0
            is_campaign = one.edf_hash == message.edf_hash != 0 and one.at >= campaign
            if earliest <= one.at < message.at and not is_copy and not is_campaign:
                yield one

    def _unpack(self) -> Iterator[_Sighting]:
        position = 0
        while position < len(self._rows):
            at, message_id, edf_hash, is_malicious, count = _ROW.unpack_from(self._rows, position)
            position += _ROW.size
            end = position + count * _RECIPIENT.size
            packed = self._rows[position:end]
            recipients = tuple(one for (one,) in _RECIPIENT.iter_unpack(packed))
            yield _Sighting(at, message_id, edf_hash, is_malicious, recipients)
            position = end


def sender_of(record: Mapping[str, Any]) -> str | None:
    """Give the canonical address in From; None if there is none that a search could find."""
    value = record.get("from")
    if not isinstance(value, str) or len(value) > _LONGEST_SENDER:
        return None
    address = canonical_address(value)
    return address if "@" in address else None


def _see(record: Mapping[str, Any], at: datetime) -> _Sighting:
    found = record.get("client_recipients")
    addresses = found if isinstance(found, list) else []
    texts = {canonical_address(one) for one in addresses if isinstance(one, str)}
    return _Sighting(
        at.timestamp(),
        _hash(record.get("message_id")),
        _hash(record.get("edf_hash")),
        str(record.get("final_disposition")).startswith("MALICIOUS"),
        tuple(map(_hash, sorted(texts)[:_MOST_RECIPIENTS])),
    )


def _as_text(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _hash(value: object) -> int:
    # Python's own hash has 64 bits and a secret key, and no history outlives its process.
    return (hash(value) or 1) if isinstance(value, str) and value else 0
