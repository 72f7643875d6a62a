"""Where everything stands at one moment, as values.

Nothing is fetched and nothing is drawn here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.polling import PollerStatus

WORTH_SHOWING = frozenset(
    set(RecordKind) - {RecordKind.EVENT_JOINED, RecordKind.CASE_OPENED, RecordKind.CASE_CLOSED}
)
"""The kinds of record that are shown as they happen; the others would drown them."""


@dataclass
class RuleCounts:
    """What one rule came to since the display began."""

    matched: int = 0
    acted: int = 0
    would: int = 0
    failed: int = 0

    def count(self, record: AuditRecord) -> None:
        """Take one record in."""
        match record.kind:
            case RecordKind.EVENT_JOINED:
                self.matched += 1
            case RecordKind.WOULD_HAVE_ACTED:
                self.would += 1
            case RecordKind.ACTED if (record.outcome or "").startswith(("failed", "unknown")):
                self.failed += 1
            case RecordKind.ACTED:
                self.acted += 1


@dataclass(frozen=True)
class Numbers:
    """What the worker's /metrics say; counters start anew with the worker."""

    requests: int = 0
    unanswered: int = 0
    refused: int = 0
    left: int | None = None
    rules: int = 0
    stopped: bool = False
    poll_ages: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """One process."""

    name: str
    state: str
    restarts: int


@dataclass(frozen=True)
class Status:
    """Everything there is to show; what could not be learnt is as it was."""

    up_for: timedelta
    numbers: Numbers | None
    pollers: tuple[PollerStatus, ...]
    cases: Mapping[str, int]
    tallies: Mapping[str, RuleCounts]
    recent: tuple[AuditRecord, ...]
    children: tuple[Health, ...]

    @property
    def seen(self) -> int:
        """Events seen since the very first start."""
        return sum(poller.seen for poller in self.pollers)

    @property
    def total(self) -> RuleCounts:
        """All rules together."""
        rows = self.tallies.values()
        return RuleCounts(
            *(
                sum(getattr(row, name) for row in rows)
                for name in ("matched", "acted", "would", "failed")
            )
        )
