"""One match as a shard keeps it: a row of about 300 bytes."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.cases.plan import Match
from clawback.correlation.sliding_window import Link, WindowEntry
from clawback.model.messages import Target
from clawback.model.providers import read_provider
from clawback.model.size import payload_size

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HASH_BYTES = 8
_LONGEST_KEPT = 24  # any number, as Python writes it
_HASHED = "#"
_COLUMNS = 14  # of a message, of which the last ones are left out if they are empty
_ALWAYS_KEPT = 7
USUAL_BYTES = 512
"""A match takes 400 bytes, or this many if its Message-ID and addresses are rather long."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A match that is counted, and what its case needs of it if the window is satisfied.

    Long values are hashed: only whether they are equal matters. Numbers are short.
    """

    key: str
    identity: str
    at: datetime
    seen_at: datetime
    rule: str
    values: tuple[str, ...]
    links: tuple[tuple[str, tuple[str, ...]], ...]
    targets: tuple[Row, ...]
    handled: bool
    reporter: str | None

    @classmethod
    def of(cls, match: Match) -> "ShardEntry":
        """Keep a match; its reasons are kept once per group."""
        return cls(
            key=match.key,
            identity=match.identity,
            at=match.at,
            seen_at=match.seen_at,
            rule=match.rule,
            values=_shorten(match.values),
            links=tuple((link.group, _shorten(link.values)) for link in match.links),
            targets=tuple(_target_row(target) for target in match.targets),
            handled=match.handled,
            reporter=match.reporter,
        )

    @classmethod
    def from_row(cls, row: Row) -> "ShardEntry":
        """Read a row of a snapshot."""
        key, identity, at, seen_at, rule, values, links, targets, handled, reporter = row
        return cls(
            key,
            identity,
            _from_number(at),
            _from_number(seen_at),
            rule,
            tuple(values),
            tuple((group, tuple(of)) for group, of in links),
            tuple(tuple(target) for target in targets),
            bool(handled),
            reporter,
        )

    @property
    def row(self) -> Row:
        """The row of a snapshot."""
        return (
            self.key,
            self.identity,
            _to_number(self.at),
            _to_number(self.seen_at),
            self.rule,
            self.values,
            self.links,
            self.targets,
            int(self.handled),
            self.reporter,
        )

    @property
    def size(self) -> int:
        """Bytes of the row in a snapshot."""
        return payload_size(self.row)

    @property
    def window_entry(self) -> WindowEntry:
        """The match as correlation windows count it."""
        return WindowEntry.model_construct(
            key=self.identity or self.key,
            at=self.at,
            rule=self.rule,
            values=self.values,
            links=tuple(Link(group=group, values=values) for group, values in self.links),
        )

    def match(self, reasons: tuple[str, ...] = ()) -> Match:
        """The match as its case gets it, which counts nothing."""
        return Match(
            key=self.key,
            identity=self.identity,
            at=self.at,
            seen_at=self.seen_at,
            rule=self.rule,
            targets=tuple(_target(row) for row in self.targets),
            handled=self.handled,
            reasons=reasons,
            reporter=self.reporter,
        )


def _shorten(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([value if _is_short(value) else _hash(value) for value in values])


def _is_short(value: str) -> bool:
    # What begins like a hash is hashed: no value of a mail passes for the hash of another one.
    return len(value) <= _LONGEST_KEPT and value.isascii() and not value.startswith(_HASHED)


def _hash(value: str) -> str:
    data = value.encode("utf-8", "surrogatepass")
    return _HASHED + hashlib.blake2b(data, digest_size=_HASH_BYTES).hexdigest()


def _to_number(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _from_number(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND


def _target_row(target: Target) -> Row:
    row = (
        target.id,
        target.message_id,
        _to_number(target.at),
        target.verdict,
        target.sender,
        target.mailbox,
        target.quarantined,
        target.subject,
        target.sender_name,
        target.spf,
        target.dkim,
        target.dmarc,
        target.protected,
        target.provider,
    )
    length = len(row)
    while length > _ALWAYS_KEPT and not row[length - 1]:
        length -= 1
    return row[:length]


def _target(row: Row) -> Target:
    padded = (*row, *(None,) * (_COLUMNS - len(row)))
    id_, message_id, at, verdict, sender, mailbox, quarantined, *texts, protected, provider = padded
    subject, sender_name, spf, dkim, dmarc = texts
    return Target(
        id=id_,
        message_id=message_id,
        at=_from_number(at),
        verdict=verdict,
        sender=sender,
        mailbox=mailbox,
        quarantined=quarantined,
        subject=subject,
        sender_name=sender_name,
        spf=spf,
        dkim=dkim,
        dmarc=dmarc,
        protected=bool(protected),
        provider=read_provider(provider),
    )
