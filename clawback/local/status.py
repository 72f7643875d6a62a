"""The status of an installation at one moment, as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.polling import PollerStatus

_FREQUENT_KINDS = frozenset(
    {
        RecordKind.EVENT_COUNTED,
        RecordKind.EVENT_JOINED,
        RecordKind.CASE_OPENED,
        RecordKind.CASE_CLOSED,
    }
)


def is_shown(record: AuditRecord) -> bool:
    """Whether a record is shown as it happens; frequent ones are not.

    That a correlation opened a case is shown, with its window.
    """
    is_correlation = record.kind is RecordKind.CASE_OPENED and record.detail is not None
    return is_correlation or record.kind not in _FREQUENT_KINDS


@dataclass
class RuleCounts:
    """What one rule did since the display started.

    The events of a correlation are counted before some of them join a case.
    """

    matched: int = 0
    acted: int = 0
    would: int = 0
    failed: int = 0
    is_correlation: bool = False

    def count(self, record: AuditRecord) -> None:
        """Count one record."""
        match record.kind:
            case RecordKind.EVENT_COUNTED:
                self.is_correlation = True
                self.matched += 1
            case RecordKind.EVENT_JOINED:
                self.matched += not self.is_correlation
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
    resets_in: timedelta | None = None
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
