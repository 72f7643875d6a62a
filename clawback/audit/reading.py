"""Reads an audit for people: all records, new records as they come, the last match of each rule."""

import json
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from clawback.audit.backlog import START, Backlog, read_head, read_lines, read_rotated_head
from clawback.audit.chain import Head
from clawback.audit.files import COMPRESSED, audit_files, walk_audit_files
from clawback.model.audit_record import AuditRecord, RecordKind

NEWEST_BYTES = 16 * 1024 * 1024
"""How much `latest_matches` reads from the end of an audit: about 30,000 records."""

_REMEMBERED = 10_000
"""Lines that `Tail` recognizes after some were cut off: more than one failed write takes back."""

_MATCH_KINDS = frozenset(
    {RecordKind.CASE_OPENED, RecordKind.EVENT_COUNTED, RecordKind.EVENT_JOINED}
)


def read_records(path: Path) -> Iterator[AuditRecord]:
    """Read all records of an audit, oldest first, each id once; an incomplete last line is skipped.

    Raises:
        ValueError: a line is not an audit record; `verify` says which.

    """
    seen: set[str] = set()
    for _, lines in walk_audit_files(path):
        for line in lines:
            if not line.endswith(b"\n"):
                break
            record = AuditRecord.model_validate(json.loads(line)["unmapped"])
            if record.id not in seen:
                seen.add(record.id)
                yield record


def read_records_after(path: Path, head: Head) -> Iterator[AuditRecord]:
    """Read the records that follow a line of an audit, oldest first; all if it lacks the line.

    Raises:
        OSError: a file cannot be read.

    """
    backlog = Backlog(path)
    while lines := backlog.read(head):
        head = lines[-1].head
        yield from filter(None, (_parse_record(line.text) for line in lines))


class Tail:
    """Returns each new record once, starting at the end of an audit, through rotations.

    What was removed before it could be read is left out. Memory does not grow with the audit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._backlog = Backlog(path, self._find_last_known)
        self._known: OrderedDict[int, str] = OrderedDict()
        self._head = START
        with suppress(OSError):
            self._note(read_head(path))

    def read(self) -> Iterator[AuditRecord]:
        """Yield the records since the last call; what a call does not consume, the next one does.

        Stops early, without an error, at a file that cannot be read. Blocks on the disk.
        """
        with suppress(OSError):
            while lines := self._backlog.read(self._head):
                for line in lines:
                    self._note(line.head)
                    if (record := _parse_record(line.text)) is not None:
                        yield record

    def _note(self, head: Head) -> None:
        self._head = head
        self._known[head.sequence] = head.hash
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _find_last_known(self) -> Head:
        """Find the last line that was read before lines were cut off.

        Files from before the lines that are remembered were read too.
        """
        first = min(self._known)
        last = read_rotated_head(self._path, before=first)
        for _, lines in walk_audit_files(self._path, first - 1):
            for line in read_lines(lines):
                if self._known.get(line.sequence) == line.hash:
                    last = line.head
        return last


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
