"""What an installation did after a backup of it was made, from an audit that survived."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from clawback.audit import Broken, Head, PublicKey, read_records_after, verify
from clawback.backup.errors import NotRestorable
from clawback.model.audit_record import AuditRecord, RecordKind

MOST_LISTED = 10_000
_CHANGES = frozenset({RecordKind.ACTED, RecordKind.UNDONE, RecordKind.BLOCK_LIFTED})


@dataclass(frozen=True)
class Change:
    """One thing that was done to a mailbox or a policy list."""

    at: datetime
    case: str | None
    action: str | None
    target: str | None
    outcome: str | None


@dataclass(frozen=True)
class Aftermath:
    """What the restored database does not know: `changes` has at most `MOST_LISTED` of them."""

    records: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    total_changes: int = 0
    changes: tuple[Change, ...] = ()


def read_aftermath(audit: Path, since: Head, keys: tuple[PublicKey, ...] | None) -> Aftermath:
    """Read what an audit has after a head.

    Raises:
        NotRestorable: it is damaged, or it is not the audit that the backup is of.

    """
    try:
        found = verify(audit, keys, [since], archived=True)
    except OSError as error:
        raise NotRestorable(f"cannot read the audit {audit}: {error.strerror or error}") from error
    if isinstance(found, Broken):
        raise NotRestorable(
            f"the audit {audit} does not continue that of the backup: {found.reason} "
            f"({found.file}, line {found.line}); name the audit of the same installation, or none"
        )
    return _summarise(read_records_after(audit, since))


def _summarise(records: Iterator[AuditRecord]) -> Aftermath:
    kinds: Counter[str] = Counter()
    cases: set[str] = set()
    changes: list[Change] = []
    total = 0
    for record in records:
        kinds[record.kind.value] += 1
        if record.kind not in _CHANGES:
            continue
        total += 1
        if record.case is not None:
            cases.add(record.case)
        if len(changes) < MOST_LISTED:
            changes.append(
                Change(record.at, record.case, record.action, record.target, record.outcome)
            )
    return Aftermath(kinds.total(), dict(kinds), len(cases), total, tuple(changes))
