"""Ids of audit records do not depend on the order in which a workflow makes them."""

from datetime import UTC, datetime, timedelta

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.record_ids import RecordIds

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def record(target: str, at: datetime = NOW, trace: str | None = None) -> AuditRecord:
    return AuditRecord(id="", at=at, kind=RecordKind.ACTED, target=target, trace_id=trace)


def ids_of(*records: AuditRecord, run: str = "run") -> list[str]:
    ids = RecordIds("case/a", run)
    return [ids.identify(one).id for one in records]


def test_the_order_does_not_matter() -> None:
    """Nor do the time and the trace, which another attempt has of its own."""
    late = NOW + timedelta(seconds=1)
    first = ids_of(record("a"), record("b"))
    assert ids_of(record("b", late, "t"), record("a", late)) == first[::-1]
    assert len(set(first)) == 2
    assert all(one.startswith("case/a/") and one.count("/") == 2 for one in first)


def test_what_is_said_twice_is_recorded_twice() -> None:
    """A case that is held again for the same reason says so again."""
    ids = ids_of(record("a"), record("b"), record("a"), record("a"))
    assert len(set(ids)) == 4


def test_another_run_has_other_ids() -> None:
    """It knows nothing of what the runs before it have recorded."""
    assert ids_of(record("a")) != ids_of(record("a"), run="another")
