"""Reads what the collector does not have yet, from rotated files and the live one, in batches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from clawback.audit import audit_files, open_audit_file, sequence_of
from clawback.shipping.cursor import ShippingCursor

MOST_LINES = 500
MOST_BYTES = 1024 * 1024
"""Bounds of one batch."""

# We write these with fixed separators, at both ends, where no text of a record can stand.
_HEAD = re.compile(
    rb'\{"metadata":\{"uid":"(?:[^"\\]|\\.)*","version":"[\d.]+","event_code":"(?P<kind>\w+)",'
    rb'"product":\{[^{}]*\},"sequence":(?P<sequence>\d+)\},"time":(?P<time>\d+),'
    rb'.*?"severity_id":(?P<severity>\d)'
)
_TAIL = re.compile(
    rb'"previous":"(?P<previous>[0-9a-f]{64})","key":"\w+",'
    rb'"hash":"(?P<hash>[0-9a-f]{64})","signature":"[^"]*"\}\}\n$'
)
_TAIL_BYTES = 400


@dataclass(frozen=True, slots=True)
class ShippedLine:
    """One line as it stands in the file, and what a collector needs of it."""

    text: bytes
    sequence: int
    at: datetime
    kind: str
    severity: int
    previous: str
    hash: str

    @property
    def cursor(self) -> ShippingCursor:
        """The cursor once a collector has this line."""
        return ShippingCursor(self.sequence, self.hash)


class Backlog:
    """What follows a cursor in an audit. Remembers where it stopped, so a call reads only news."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place: tuple[int, int, ShippingCursor] | None = None

    def read(self, cursor: ShippingCursor) -> list[ShippedLine]:
        """Return the next lines after a cursor; empty if there are none. Blocks on the disk.

        If the line of the cursor is not in the audit, because it was begun anew or replaced, all of
        it follows: the collector has nothing of this one.

        Raises:
            OSError: a file cannot be read.

        """
        lines = self._batch(cursor)
        if lines:
            # If the next number is missing, somebody has removed lines: go on with what there is.
            is_next = lines[0].sequence == cursor.sequence + 1
            is_other = is_next and lines[0].previous != cursor.hash
        else:
            is_other = self._is_unknown(cursor)

        return self._batch(ShippingCursor()) if is_other else lines

    def _is_unknown(self, cursor: ShippingCursor) -> bool:
        """Whether the line of a cursor that nothing follows is not in the audit."""
        if not cursor.sequence or (self._place is not None and self._place[2] == cursor):
            return False
        files = audit_files(self._path)
        ends = {sequence_of(file) for file in files if file != self._path}
        return bool(files) and cursor.sequence not in ends

    def _batch(self, cursor: ShippingCursor) -> list[ShippedLine]:
        batch: list[ShippedLine] = []
        size = 0
        for line in self._follow(cursor):
            batch.append(line)
            size += len(line.text)
            if len(batch) == MOST_LINES or size >= MOST_BYTES:
                break
        return batch

    def _follow(self, cursor: ShippingCursor) -> Iterator[ShippedLine]:
        for file in audit_files(self._path):
            if file != self._path and sequence_of(file) <= cursor.sequence:
                continue
            yield from self._read_file(file, cursor)

    def _read_file(self, file: Path, cursor: ShippingCursor) -> Iterator[ShippedLine]:
        inode = file.stat().st_ino
        with open_audit_file(file) as lines:
            offset = self._seek(lines, inode, cursor)
            for text in lines:
                # The last line of the live file may still be written.
                if not text.endswith(b"\n"):
                    return
                offset += len(text)
                line = _parse(text)
                if line is None:
                    continue
                if line.cursor == cursor:
                    self._place = (inode, offset, cursor)
                if line.sequence > cursor.sequence:
                    yield line

    def _seek(self, lines: BinaryIO, inode: int, cursor: ShippingCursor) -> int:
        """Go to where the last call stopped, if the line before that is still the same one."""
        place, self._place = self._place, None
        if place is None or place[0] != inode or place[2] != cursor:
            return 0

        offset = place[1]
        lines.seek(max(0, offset - _TAIL_BYTES))
        before = _TAIL.search(lines.read(min(offset, _TAIL_BYTES)))
        if before is None or before["hash"].decode() != cursor.hash:
            lines.seek(0)
            return 0

        self._place = place
        return offset


def _parse(text: bytes) -> ShippedLine | None:
    """Read what a collector needs; None for what is no audit line, which `verify` reports."""
    head, tail = _HEAD.match(text), _TAIL.search(text, max(0, len(text) - _TAIL_BYTES))
    if head is None or tail is None:
        return None
    return ShippedLine(
        text=text,
        sequence=int(head["sequence"]),
        at=datetime.fromtimestamp(int(head["time"]) / 1000, UTC),
        kind=head["kind"].decode(),
        severity=int(head["severity"]),
        previous=tail["previous"].decode(),
        hash=tail["hash"].decode(),
    )
