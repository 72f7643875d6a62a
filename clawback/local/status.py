"""The status of an installation at one moment, as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.polling import PollerStatus

SHOWN_KINDS = frozenset(
    set(RecordKind) - {RecordKind.EVENT_JOINED, RecordKind.CASE_OPENED, RecordKind.CASE_CLOSED}
)
"""The kinds of audit record shown as they happen; the others are too frequent."""


@dataclass
class RuleCounts:
    """What one rule did since the display started."""

    matched: int = 0
    acted: int = 0
    would: int = 0
    failed: int = 0

    def count(self, record: AuditRecord) -> None:
        """Count one record."""
        match record.kind:
            case RecordKind.EVENT_JOINED:
                self.matched += 1
            case RecordKind.WOULD_HAVE_ACTED:
                self.would += 1
            case RecordKind.ACTED if (record.outcome or "").startswith(("failed", "unknown")):
                self.failed += 1
            case RecordKind.ACTED:
                self.acted += 1

    @classmethod
    def total(cls, counts: Iterable["RuleCounts"]) -> "RuleCounts":
        """Add up the counts of several rules."""
        total = cls()
        for one in counts:
            total.matched += one.matched
            total.acted += one.acted
            total.would += one.would
            total.failed += one.failed
        return total


@dataclass(frozen=True)
class WorkerMetrics:
    """What the worker's `/metrics` reports; counters restart with the worker."""

    requests: int = 0
    unanswered: int = 0
    refused: int = 0
    remaining: int | None = None
    rules: int = 0
    is_stopped: bool = False
    poll_ages: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True)
class ProcessStatus:
    """One process."""

    name: str
    state: str
    restarts: int


@dataclass(frozen=True)
class Status:
    """Everything that is shown; what could not be read has its last known value."""

    uptime: timedelta
    metrics: WorkerMetrics | None
    pollers: tuple[PollerStatus, ...]
    cases: Mapping[str, int]
    rule_counts: Mapping[str, RuleCounts]
    recent: tuple[AuditRecord, ...]
    processes: tuple[ProcessStatus, ...]

    @property
    def seen(self) -> int:
        """Events seen since the very first start."""
        return sum(poller.seen for poller in self.pollers)

    @property
    def is_stopped(self) -> bool:
        """Whether the kill switch is on, as far as is known."""
        return self.metrics is not None and self.metrics.is_stopped
