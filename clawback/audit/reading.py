"""Reads an audit for people: all records, new records as they come, the last match of each rule."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from clawback.audit.chain import COMPRESSED, audit_files, open_audit_file
from clawback.model.audit_record import AuditRecord, RecordKind

NEWEST_BYTES = 16 * 1024 * 1024
"""How much `latest_matches` reads from the end of an audit: about 30,000 records."""

_MATCH_KINDS = frozenset(
    {RecordKind.CASE_OPENED, RecordKind.EVENT_COUNTED, RecordKind.EVENT_JOINED}
)


def read_records(path: Path) -> Iterator[AuditRecord]:
    """Read all records of an audit, oldest first, each id once; an incomplete last line is skipped.

    Raises:
        ValueError: a line is not an audit record; `verify` says which.

    """
    seen: set[str] = set()
    for file in audit_files(path):
        with open_audit_file(file) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                record = AuditRecord.model_validate(json.loads(line)["unmapped"])
                if record.id not in seen:
                    seen.add(record.id)
                    yield record


class Tail:
    """Returns each new record once, starting at the end of the file, through rotations."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            status = path.stat()
            self._inode, self._offset = status.st_ino, status.st_size
        except OSError:
            self._inode, self._offset = 0, 0

    def read(self) -> list[AuditRecord]:
        """Return the records since the last call; none if there is no file yet.

        The few records written between the last call and a rotation are missed.
        """
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []

        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        records = map(_parse_record, complete.split(b"\n"))

        return [record for record in records if record is not None]


def latest_matches(path: Path, max_bytes: int = NEWEST_BYTES) -> dict[str, datetime]:
    """Return the time of the newest match of each rule in the last `max_bytes` of an audit.

    Empty if there is no readable audit.
    """
    latest: dict[str, datetime] = {}
    for file in reversed(audit_files(path)):
        # A compressed file cannot be read from its end, and is old.
        if max_bytes <= 0 or file.suffix == COMPRESSED:
            break

        try:
            lines, size = _newest_lines(file, max_bytes)
        except OSError:
            break

        max_bytes -= size
        for record in map(_parse_match, lines):
            if record is not None and record.rule is not None:
                latest[record.rule] = max(record.at, latest.get(record.rule, record.at))

    return latest


def _newest_lines(path: Path, max_bytes: int) -> tuple[list[bytes], int]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - max_bytes)
        file.seek(start)
        data = file.read(max_bytes)

    lines = data.split(b"\n")
    # The first line may be cut off; the last is empty, or still being written.
    return lines[1 if start else 0 : -1], len(data)


def _parse_match(line: bytes) -> AuditRecord | None:
    # Parsing costs far more than looking for the kind, and most records are no matches.
    if not any(kind.encode() in line for kind in _MATCH_KINDS):
        return None
    record = _parse_record(line)
    return record if record is not None and record.kind in _MATCH_KINDS else None


def _parse_record(line: bytes) -> AuditRecord | None:
    try:
        return AuditRecord.model_validate(json.loads(line)["unmapped"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
