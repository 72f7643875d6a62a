"""The story of a case: few lines however much happens, nothing that matters merged away."""

from datetime import UTC, datetime, timedelta

from clawback.cases.timeline import MOST_ENTRIES, Timeline
from clawback.model.audit_record import AuditRecord, RecordKind

START = datetime(2026, 11, 27, tzinfo=UTC)


def record(kind: RecordKind, second: int, **said: str) -> AuditRecord:
    """Build one record."""
    return AuditRecord(id=f"{second}", at=START + timedelta(seconds=second), kind=kind, **said)


def test_what_happens_together_is_one_line() -> None:
    """Outcomes are counted apart; what was decided in between starts a new line."""
    journal = Timeline()
    for second, outcome in enumerate(("moved", "failed:x", "moved")):
        journal.note(record(RecordKind.ACTED, second, action="move", outcome=outcome))
    journal.note(record(RecordKind.HELD, 3, detail="too much"))
    journal.note(record(RecordKind.ACTED, 4, action="move", outcome="moved"))
    assert [(entry.kind, entry.outcome, entry.count) for entry in journal.entries] == [
        (RecordKind.ACTED, "moved", 2),
        (RecordKind.ACTED, "failed:x", 1),
        (RecordKind.HELD, None, 1),
        (RecordKind.ACTED, "moved", 1),
    ]
    assert (journal.entries[0].until - journal.entries[0].at).total_seconds() == 2


def test_decisions_are_never_merged() -> None:
    """Two people who agree are two lines."""
    journal = Timeline()
    for second in range(2):
        journal.note(record(RecordKind.APPROVED, second, actor="ana"))
    assert len(journal.entries) == 2


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    """It is bounded, goes on where a former run stopped, and loses the middle."""
    journal = Timeline()
    for second in range(3 * MOST_ENTRIES):
        journal = Timeline(journal.entries)
        journal.note(record(RecordKind.APPROVED, second, actor=str(second)))
    actors = [entry.actor for entry in journal.entries]
    assert (len(actors), actors[0], actors[-1]) == (MOST_ENTRIES, "0", str(3 * MOST_ENTRIES - 1))
