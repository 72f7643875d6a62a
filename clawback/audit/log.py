"""Writing the audit.

Several threads and processes may write one file; what `append` has returned from is on the disk.

A repeat of a recent record is dropped by its id (activities are retried); a reader must still
expect one from long ago.
"""

import fcntl
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from clawback.audit.chain import Link, NotALine, read_line, segments, write_line
from clawback.model.audit_record import AuditRecord
from clawback.model.loggable_error import LoggableError

MAX_BYTES = 64 * 1024 * 1024
"""The size at which a file is rotated away."""
_REACH = 8 * 1024 * 1024
_REMEMBERED = 100_000


class AuditUnavailable(LoggableError, RuntimeError):
    """The audit cannot be written; the text names the file, the reason and the remedy."""


class AuditLog:
    """An append-only, hash-chained file of records.

    Rotated files are named after their last sequence number (`audit.jsonl.000000012345`) and carry
    the chain on; none is ever removed.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._mutex = threading.Lock()
        self._inode = 0
        self._offset = 0
        self._link = Link()
        self._recent: OrderedDict[str, None] = OrderedDict()

    def append(self, records: Sequence[AuditRecord]) -> tuple[AuditRecord, ...]:
        """Write records that are not there yet, all or none, and give those that were written.

        Blocks on the disk: call it from a thread.

        Raises:
            AuditUnavailable: the disk is full or read-only, or the file is not an audit.

        """
        try:
            with self._mutex, self._locked():
                return self._append(records)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AuditUnavailable(
                f"the audit {self._path} cannot be written: {reason}; make room or set CLAWBACK_AUDIT to another file"
            ) from error
        except NotALine as error:
            raise AuditUnavailable(
                f"the audit {self._path} cannot be continued, its last line is damaged: {error}; move it away"
            ) from error

    def _append(self, records: Sequence[AuditRecord]) -> tuple[AuditRecord, ...]:
        with self._opened() as file:
            self._catch_up(file)
            full = self._offset >= self._max_bytes
        if full:
            self._path.rename(f"{self._path}.{self._link.sequence:012d}")
        fresh = tuple(
            {record.id: record for record in records if record.id not in self._recent}.values()
        )
        if fresh:
            with self._opened() as file:
                self._write(file, fresh)
        return fresh

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own: the audit itself is renamed when it is rotated.
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    def _catch_up(self, file: int) -> None:
        """Read what others have written since, and cut off a line that a crash has torn.

        Nobody was told it was written.
        """
        status = os.fstat(file)
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._start_over(file)
        data = os.pread(file, os.fstat(file).st_size - self._offset, self._offset)
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.ftruncate(file, self._offset + len(whole))
        self._take_in(whole.splitlines())
        self._offset += len(whole)

    def _start_over(self, file: int) -> None:
        """Take the chain up from the end of the newest rotated file, or from near the end of this one."""
        status = os.fstat(file)
        self._inode, self._offset = status.st_ino, _line_start(file, status.st_size)
        for rotated in segments(self._path)[-2:-1]:
            with rotated.open("rb") as old:
                size = old.seek(0, os.SEEK_END)
                old.seek(_line_start(old.fileno(), size))
                self._take_in(old.read().splitlines())

    def _take_in(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._link, _ = read_line(line)
            self._remember(self._link.uid)

    def _remember(self, uid: str) -> None:
        self._recent[uid] = None
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _write(self, file: int, records: Sequence[AuditRecord]) -> None:
        size = os.fstat(file).st_size
        link, data = self._link, b""
        for record in records:
            line, link = write_line(record, link)
            data += line
        try:
            _write_all(file, data)
            os.fsync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, size)
            raise
        self._inode, self._offset, self._link = os.fstat(file).st_ino, size + len(data), link
        for record in records:
            self._remember(record.id)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _line_start(file: int, size: int) -> int:
    """Find the first whole line within reach of the end."""
    if size <= _REACH:
        return 0
    near = os.pread(file, _REACH, size - _REACH)
    return size - _REACH + near.find(b"\n") + 1
