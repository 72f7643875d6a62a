"""Reads what follows a line of an audit, from rotated files and the live one, in batches."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from clawback.audit.chain import GENESIS, Head
from clawback.audit.files import audit_files, sequence_of, walk_audit_files

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
_REACH = 1024 * 1024
"""How far from its end the last line of a file is looked for."""
START = Head(0, GENESIS)
"""The head of an empty audit."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line as it stands in the file, and what its reader needs of it."""

    text: bytes
    sequence: int
    at: datetime
    kind: str
    severity: int
    previous: str
    hash: str

    @property
    def head(self) -> Head:
        """The head of the audit up to this line."""
        return Head(self.sequence, self.hash)


class Backlog:
    """What follows a line in an audit. Remembers where it stopped, so a call reads only news.

    `restart` says what to go on after in an audit that lacks the line; default its start.
    """

    def __init__(self, path: Path, restart: Callable[[], Head] = lambda: START) -> None:
        self._path = path
        self._restart = restart
        self._place: tuple[int, int, Head] | None = None

    def read(self, after: Head) -> list[AuditLine]:
        """Return the next lines after a head; empty if there are none. Blocks on the disk.

        If its line is not in the audit, because that was begun anew or replaced, what follows
        `restart` is returned. A head without a hash is not compared.

        Raises:
            OSError: a file cannot be read.

        """
        lines = self._batch(after)
        if lines:
            # If the next number is missing, somebody has removed lines: go on with what there is.
            is_next = lines[0].sequence == after.sequence + 1
            is_other = is_next and bool(after.hash) and lines[0].previous != after.hash
        else:
            is_other = self._is_unknown(after)

        return self._batch(self._restart()) if is_other else lines

    def _is_unknown(self, head: Head) -> bool:
        """Whether the line of a head that nothing follows is not in the audit."""
        if not head.sequence or (self._place is not None and self._place[2] == head):
            return False
        files = audit_files(self._path)
        ends = {sequence_of(file) for file in files if file != self._path}
        return bool(files) and head.sequence not in ends

    def _batch(self, after: Head) -> list[AuditLine]:
        batch: list[AuditLine] = []
        size = 0
        for line in self._follow(after):
            batch.append(line)
            size += len(line.text)
            if len(batch) == MOST_LINES or size >= MOST_BYTES:
                break
        return batch

    def _follow(self, after: Head) -> Iterator[AuditLine]:
        for _, lines in walk_audit_files(self._path, after.sequence):
            yield from self._read_file(lines, after)

    def _read_file(self, lines: BinaryIO, after: Head) -> Iterator[AuditLine]:
        inode = os.fstat(lines.fileno()).st_ino
        offset = self._seek(lines, inode, after)
        for text in lines:
            # The last line of the live file may still be written.
            if not text.endswith(b"\n"):
                return
            offset += len(text)
            line = _parse(text)
            if line is None:
                continue
            if line.head == after or line.sequence > after.sequence:
                self._place = (inode, offset, line.head)
            if line.sequence > after.sequence:
                yield line

    def _seek(self, lines: BinaryIO, inode: int, after: Head) -> int:
        """Go to where the last call stopped, if the line before that is still the same one."""
        place, self._place = self._place, None
        if place is None or place[0] != inode or place[2] != after:
            return 0

        offset = place[1]
        lines.seek(max(0, offset - _TAIL_BYTES))
        before = _TAIL.search(lines.read(min(offset, _TAIL_BYTES)))
        if before is None or before["hash"].decode() != after.hash:
            lines.seek(0)
            return 0

        self._place = place
        return offset


def read_head(path: Path) -> Head:
    """Read the head of an audit; `START` if it is empty. Takes no lock, checks no signature.

    The hash is empty if all lines are in rotated files.

    Raises:
        OSError: a file cannot be read.

    """
    with suppress(FileNotFoundError):
        for text in reversed(_last_lines(path)):
            if (line := _parse(text)) is not None:
                return line.head
    return read_rotated_head(path)


def read_rotated_head(path: Path, before: int | None = None) -> Head:
    """Read the head of what is rotated, without its hash; `START` if that is nothing.

    With `before`, of the files that end before that line.
    """
    ends = [sequence_of(file) for file in audit_files(path) if file != path]
    last = max((end for end in ends if before is None or end < before), default=0)
    return Head(last, "") if last else START


def read_lines(file: BinaryIO) -> Iterator[AuditLine]:
    """Read the audit lines of one file; others, and an incomplete last line, are left out."""
    return (line for text in file if (line := _parse(text)) is not None)


def _last_lines(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _REACH))
        return file.read().splitlines(keepends=True)


def _parse(text: bytes) -> AuditLine | None:
    """Read what a collector needs; None for what is no audit line, which `verify` reports."""
    head, tail = _HEAD.match(text), _TAIL.search(text, max(0, len(text) - _TAIL_BYTES))
    if head is None or tail is None:
        return None
    return AuditLine(
        text=text,
        sequence=int(head["sequence"]),
        at=datetime.fromtimestamp(int(head["time"]) / 1000, UTC),
        kind=head["kind"].decode(),
        severity=int(head["severity"]),
        previous=tail["previous"].decode(),
        hash=tail["hash"].decode(),
    )
