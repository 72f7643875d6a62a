"""Counts what only the audit knows: how long containment took, and which notifications failed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from clawback.actions.outcomes import MOVED, is_failed
from clawback.audit import audit_files, sequence_of
from clawback.audit.files import walk_audit_files
from clawback.model.audit_record import RecordKind
from clawback.model.times import parse_time

_MOVES: Final = ("move", "move_while_held")
_NEEDLES: Final = (b'"kind":"acted"', b'"kind":"notified"')


@dataclass
class AuditFacts:
    """What an audit says about a period.

    `delays` are the seconds from arrival to containment of each message, `undated` counts those
    whose arrival is not recorded; `begins_at` is the time of the oldest record that is kept.
    """

    delays: list[float] = field(default_factory=list)
    undated: int = 0
    notified: int = 0
    notifications_failed: int = 0
    begins_at: datetime | None = None


def read_audit_facts(path: Path, since: datetime, until: datetime) -> AuditFacts | None:
    """Read the records of a period; None if there is no audit on this machine.

    Files that were written last before the period are skipped, and of the others most lines by
    their bytes. What cannot be parsed is left out: `clawback audit verify` finds it.

    Raises:
        OSError: a file cannot be read.

    """
    if not audit_files(path):
        return None

    facts, seen = AuditFacts(begins_at=_begins_at(path)), set[str]()
    for record in _read_records(path, since):
        at = parse_time(record.get("at"))
        id_ = str(record.get("id"))
        if at is None or not since <= at < until or id_ in seen:
            continue
        seen.add(id_)
        _count(facts, record, at)
    return facts


def _count(facts: AuditFacts, record: Mapping[str, Any], at: datetime) -> None:
    outcome = str(record.get("outcome"))
    if record.get("kind") == RecordKind.NOTIFIED:
        facts.notified += 1
        facts.notifications_failed += is_failed(outcome)
    elif record.get("action") in _MOVES and outcome == MOVED:
        arrived = parse_time(record.get("arrived_at"))
        if arrived is None:
            facts.undated += 1
        else:
            facts.delays.append(max((at - arrived).total_seconds(), 0.0))


def _read_records(path: Path, since: datetime) -> Iterator[Mapping[str, Any]]:
    for _, lines in walk_audit_files(path, _last_before(path, since)):
        for line in lines:
            # The last line of the live file may still be written.
            if line.endswith(b"\n") and any(one in line for one in _NEEDLES):
                record = _parse(line)
                if record is not None:
                    yield record


def _last_before(path: Path, since: datetime) -> int:
    """The number of the last line in rotated files that were complete before a time."""
    last = 0
    for file in audit_files(path):
        if file == path or datetime.fromtimestamp(file.stat().st_mtime, UTC) >= since:
            break
        last = sequence_of(file)
    return last


def _begins_at(path: Path) -> datetime | None:
    for _, lines in walk_audit_files(path):
        for line in lines:
            if (record := _parse(line)) is not None:
                return parse_time(record.get("at"))
    return None


def _parse(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = orjson.loads(line)["unmapped"]
    except (ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record, Mapping) else None
