"""When each rule last matched, as far as the newest part of the audit tells.

For people who look; nothing is decided by it.
"""

import json
import os
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from clawback.audit.chain import segments
from clawback.model.audit_record import AuditRecord, RecordKind

NEWEST_BYTES = 16 * 1024 * 1024
"""How much of the audit is read, from its end: about 30,000 records."""

_MATCHES = frozenset({RecordKind.CASE_OPENED, RecordKind.EVENT_JOINED})


def latest_matches(path: Path, most: int = NEWEST_BYTES) -> dict[str, datetime]:
    """Give the time of the newest match of each rule in the last `most` bytes.

    Empty where there is no audit that can be read.
    """
    found: dict[str, datetime] = {}
    for segment in reversed(segments(path)):
        if most <= 0:
            break
        try:
            lines, size = _newest_lines(segment, most)
        except OSError:
            break
        most -= size
        for record in map(_match, lines):
            if record is not None and record.rule is not None:
                found[record.rule] = max(record.at, found.get(record.rule, record.at))
    return found


def _newest_lines(path: Path, most: int) -> tuple[list[bytes], int]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - most)
        file.seek(start)
        data = file.read(most)
    lines = data.split(b"\n")
    return lines[1 if start else 0 : -1], len(data)


def _match(line: bytes) -> AuditRecord | None:
    if not any(kind.encode() in line for kind in _MATCHES):
        return None
    try:
        record = AuditRecord.model_validate(json.loads(line)["unmapped"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
    return record if record.kind in _MATCHES else None
