"""Refused payloads in metric and audit: each counted once, reported at a bounded rate."""

from pathlib import Path

from temporalio.api.common.v1 import Payload

from clawback.audit import AuditLog, AuditWriter, read_records
from clawback.model.audit_record import RecordKind
from clawback.model.refusal import Refusal
from clawback.services.refusal_reporter import RefusalReporter
from clawback.telemetry import metrics
from clawback.temporal.data_converter import PayloadRefused


def counted(refusal: Refusal) -> float:
    """What the metric says."""
    labels = {"reason": refusal.label}
    return metrics.REGISTRY.get_sample_value("clawback_payloads_refused_total", labels) or 0


async def test_a_payload_counts_once_and_is_recorded(tmp_path: Path) -> None:
    """A workflow that is replayed decodes it again; one record says how many there were."""
    audit = AuditWriter(AuditLog(tmp_path / "audit.jsonl"), lambda _: None)
    reporter = RefusalReporter()
    before = counted(Refusal.PLAINTEXT)
    assert not await reporter.report(audit)
    for number in (1, 2, 1, 1):
        payload = Payload(data=f"mail {number}".encode())
        reporter.note(payload, PayloadRefused(Refusal.PLAINTEXT))
    reporter.note(Payload(data=b"x"), PayloadRefused(Refusal.MISPLACED))

    assert await reporter.report(audit)
    assert not await reporter.report(audit)
    assert counted(Refusal.PLAINTEXT) == before + 2
    (record,) = read_records(tmp_path / "audit.jsonl")
    assert record.kind is RecordKind.PAYLOADS_REFUSED
    assert record.detail == (
        "2 times the payload is not encrypted, 1 time the payload belongs to another workflow"
    )


def test_a_flood_is_counted_in_bounded_memory() -> None:
    """Whatever somebody sends, the worker keeps a bounded number of hashes."""
    reporter = RefusalReporter()
    for number in range(25_000):
        reporter.note(Payload(data=b"%d" % number), PayloadRefused(Refusal.PLAINTEXT))
    assert len(reporter._known) <= 10_000
