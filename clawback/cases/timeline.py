"""The timeline of a case for people: what happened when, in few lines. The audit has details."""

from collections.abc import Iterable

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MOST_ENTRIES = 120
_KEPT_FIRST = 20
_GROUPED = frozenset(
    {
        RecordKind.EVENT_JOINED,
        RecordKind.ACTED,
        RecordKind.WOULD_HAVE_ACTED,
        RecordKind.EVENT_REJECTED,
    }
)


class TimelineEntry(Payload):
    """Something that happened `count` times between `at` and `until`, and what it had in common."""

    at: UtcDatetime
    until: UtcDatetime
    kind: RecordKind
    count: int = 1
    action: str | None = None
    outcome: str | None = None
    after: str | None = None
    actor: str | None = None
    verified: bool | None = None
    on_behalf_of: str | None = None
    detail: str | None = None

    def is_like(self, other: "TimelineEntry") -> bool:
        """Whether both belong in one line."""
        mine, theirs = (
            (one.kind, one.action, one.outcome, one.after, one.actor) for one in (self, other)
        )
        # Of an action its detail is the same for many messages; of others it is not.
        is_same = self.kind is not RecordKind.ACTED or self.detail == other.detail
        return self.kind in _GROUPED and mine == theirs and is_same


class Timeline:
    """The entries, oldest first; a very long timeline loses its middle."""

    def __init__(self, entries: Iterable[TimelineEntry] = ()) -> None:
        self._entries = list(entries)

    @property
    def entries(self) -> tuple[TimelineEntry, ...]:
        """All entries."""
        return tuple(self._entries)

    def note(self, record: AuditRecord) -> None:
        """Add a record to the last entry like it if nothing else happened since, else a new one."""
        entry = TimelineEntry(
            at=record.at,
            until=record.at,
            kind=record.kind,
            action=record.action,
            outcome=record.outcome,
            after=record.after,
            actor=record.actor,
            verified=record.verified,
            on_behalf_of=record.on_behalf_of,
            detail=record.detail,
        )
        # Records of one kind may alternate between outcomes, so look back through all of that kind.
        for index in range(len(self._entries) - 1, -1, -1):
            known = self._entries[index]
            if known.kind is not entry.kind:
                break
            if known.is_like(entry):
                self._entries[index] = known.model_copy(
                    update={"until": entry.at, "count": known.count + 1}
                )
                return

        self._entries.append(entry)
        if (excess := len(self._entries) - MOST_ENTRIES) > 0:
            del self._entries[_KEPT_FIRST : _KEPT_FIRST + excess]
