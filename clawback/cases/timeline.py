"""The story of a case in few lines, for people: what happened when, by whom.

The audit has every detail; this is what a case remembers.
"""

from collections.abc import Iterable

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MOST = 120
_KEPT_FIRST = 20
_TOLD_TOGETHER = frozenset(
    {
        RecordKind.EVENT_JOINED,
        RecordKind.ACTED,
        RecordKind.WOULD_HAVE_ACTED,
        RecordKind.EVENT_REJECTED,
    }
)


class TimelineEntry(Payload):
    """What happened, `count` times from `at` to `until`.

    A kind of record, with the words that those had in common.
    """

    at: UtcDatetime
    until: UtcDatetime
    kind: RecordKind
    count: int = 1
    action: str | None = None
    outcome: str | None = None
    after: str | None = None
    actor: str | None = None
    detail: str | None = None

    def goes_with(self, other: "TimelineEntry") -> bool:
        """Whether both are told in one line."""
        said = (self.kind, self.action, self.outcome, self.after, self.actor)
        return self.kind in _TOLD_TOGETHER and said == (
            other.kind,
            other.action,
            other.outcome,
            other.after,
            other.actor,
        )


class Timeline:
    """The entries, oldest first; of a very long story the middle is left out."""

    def __init__(self, entries: Iterable[TimelineEntry] = ()) -> None:
        self._entries = list(entries)

    @property
    def entries(self) -> tuple[TimelineEntry, ...]:
        """All that is kept."""
        return tuple(self._entries)

    def note(self, record: AuditRecord) -> None:
        """Take in a record: into the line of others of its kind if nothing else has happened since, else as a new one."""
        entry = TimelineEntry(
            at=record.at,
            until=record.at,
            kind=record.kind,
            action=record.action,
            outcome=record.outcome,
            after=record.after,
            actor=record.actor,
            detail=record.detail,
        )
        for index in range(len(self._entries) - 1, -1, -1):
            known = self._entries[index]
            if known.kind is not entry.kind:
                break
            if known.goes_with(entry):
                self._entries[index] = known.model_copy(
                    update={"until": entry.at, "count": known.count + 1}
                )
                return
        self._entries.append(entry)
        if (excess := len(self._entries) - MOST) > 0:
            del self._entries[_KEPT_FIRST : _KEPT_FIRST + excess]
