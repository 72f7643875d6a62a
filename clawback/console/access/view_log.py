"""Records who looked at which case or message: once per person, object and ten minutes.

The records go to the audit of this machine. If a worker runs here too, that is its file; a console
of its own has its own file, chain and key (ADR 67). Nothing of this reaches Temporal.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from clawback.audit import AuditLog, AuditUnavailable
from clawback.console.access.who import Visitor
from clawback.console.errors import Unavailable
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.settings import Settings

PERIOD: Final = timedelta(minutes=10)
_MOST_REMEMBERED: Final = 10_000
_MOST_LOOKERS: Final = 5
_HASH_DIGITS: Final = 12

log = structlog.get_logger("clawback")


@dataclass(frozen=True)
class ViewedObject:
    """What somebody sees: a case, and of it one message or its audit.

    With `is_content` it is what a mail holds, and is not shown if that cannot be recorded.
    """

    case: str
    what: str = "case"
    message: str = ""
    is_content: bool = False


@dataclass(frozen=True)
class Looker:
    """Who looked at a case, and when last."""

    person: str
    name: str
    at: datetime


@dataclass
class ViewLog:
    """Writes records of views, and remembers for a while who looks at which case.

    `audit` is that of this machine, for other records of the console too.
    """

    settings: Settings
    _lookers: OrderedDict[tuple[str, str], Looker] = field(default_factory=OrderedDict)
    _written: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.audit = AuditLog(
            self.settings.audit_file,
            self.settings.audit_key,
            max_bytes=self.settings.audit_file_bytes,
            max_age=None if self.settings.audit_file_age == "off" else self.settings.audit_file_age,
        )

    async def record(self, visitor: Visitor, seen: ViewedObject, now: datetime) -> None:
        """Record that somebody sees something.

        Raises:
            Unavailable: that cannot be recorded, and it is what a mail holds.

        """
        self._remember(visitor, seen, now)
        record = build_record(visitor, seen, now)
        if record.id in self._written:
            return
        try:
            await asyncio.to_thread(self.audit.append, [record])
        except AuditUnavailable as error:
            log.warning("console.view_not_recorded", error=error)
            if seen.is_content:
                raise Unavailable(
                    "The audit of this console cannot be written, so no contents of mail are shown."
                ) from error
            return
        self._written[record.id] = None
        while len(self._written) > _MOST_REMEMBERED:
            self._written.popitem(last=False)

    def others(self, visitor: Visitor, case: str, now: datetime) -> tuple[Looker, ...]:
        """Return who else has looked at a case lately, the latest first."""
        me = visitor.identity.id
        found = [
            looker
            for (id_, person), looker in self._lookers.items()
            if id_ == case and person != me and now - looker.at < PERIOD
        ]
        return tuple(sorted(found, key=lambda one: one.at, reverse=True)[:_MOST_LOOKERS])

    def _remember(self, visitor: Visitor, seen: ViewedObject, now: datetime) -> None:
        person = visitor.identity.id
        self._lookers[seen.case, person] = Looker(person, visitor.identity.label, now)
        self._lookers.move_to_end((seen.case, person))
        while len(self._lookers) > _MOST_REMEMBERED:
            self._lookers.popitem(last=False)


def build_record(visitor: Visitor, seen: ViewedObject, now: datetime) -> AuditRecord:
    """Build the record of a view; all views of one period have the same id, so one is kept."""
    period = int(now.timestamp() // PERIOD.total_seconds())
    parts = (visitor.identity.id, seen.case, seen.what, seen.message, str(period))
    return AuditRecord(
        id=f"viewed/{_hash('|'.join(parts))}",
        at=now,
        kind=RecordKind.VIEWED,
        case=seen.case,
        action=seen.what,
        target=seen.message or None,
        detail=f"session {_hash(visitor.session)}",
        **visitor.actor.audit_fields,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
