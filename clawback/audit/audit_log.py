"""Writes the audit log. Several threads and processes may write one file.

What `append` has returned is on disk. A repeat of a recent record is dropped by its id, because
activities are retried; readers must still expect repeats of old records.
"""

import fcntl
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clawback.audit.chain import ChainLink, Head, InvalidLine, SealedLine, read_line, write_line
from clawback.audit.files import (
    COMPRESSED,
    audit_files,
    list_foreign_files,
    open_audit_file,
    sequence_of,
)
from clawback.audit.signing import AuditKeyError, KeyFile, PublicKey, SigningKeys
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor
from clawback.model.loggable import LoggableError
from clawback.model.texts import bounded

MAX_BYTES = 64 * 1024 * 1024
"""The size at which the file is rotated."""

_CATCH_UP_BYTES = 8 * 1024 * 1024
_MAX_RECENT = 100_000
_SEAL_BYTES = 400
"""What ends a line: its hash and its signature."""
_OWN_KINDS = frozenset({RecordKind.AUDIT_KEY_CHANGED, RecordKind.AUDIT_FILES_REMOVED})
_TIME = re.compile(rb'"time":(\d+),"category_uid"')


class AuditUnavailable(LoggableError, RuntimeError):
    """The audit log cannot be written; the text names the file, the reason and the remedy."""


class AuditLog:
    """An append-only, hash-chained file of signed records.

    Rotated files are named after their last sequence number (`audit.jsonl.000000012345`) and
    continue the chain. The key file is made with the first record; default `<path>.key`.
    A file that begins with a record older than `max_age` is rotated too.

    If another program rotates, truncates or removes the file, numbers go on all the same: what it
    put aside gets its name in the chain (`adopted` counts that), and what it took is missing.
    """

    def __init__(
        self,
        path: Path,
        key_file: Path | None = None,
        *,
        max_bytes: int = MAX_BYTES,
        max_age: timedelta | None = None,
    ) -> None:
        self.path = path
        self._max_age = max_age
        self._begins_at: datetime | None = None
        self._key_file = KeyFile(key_file or default_key_file(path))
        self._max_bytes = max_bytes
        self.rotations = 0
        self.adopted = 0
        self._mutex = threading.Lock()
        self._inode = 0
        self._offset = 0
        self._link = ChainLink()
        self._recent: OrderedDict[str, None] = OrderedDict()

    def append(self, records: Sequence[AuditRecord]) -> tuple[AuditRecord, ...]:
        """Write the records that are not there yet, all or none, and return them.

        Blocks on the disk: call it from a thread.

        Raises:
            AuditUnavailable: the disk is full or read-only, or the file is not an audit log.
            ValueError: a record is one that only the audit writes about itself.

        """
        refuse_own_kinds(records)
        with self._exclusive():
            return self._append(records, self._key_file.load())

    def read_head(self) -> Head | None:
        """Read the head of what all processes have written; None if that is nothing.

        Raises:
            AuditUnavailable: the file cannot be read, or its last line is damaged.

        """
        with self._exclusive():
            if not self.path.exists() and not self._link.sequence:
                return None
            with self._open() as file:
                self._catch_up(file, self._key_file.load())
            return Head(self._link.sequence, self._link.hash) if self._link.sequence else None

    def rotate_key(self, actor: Actor, reason: str = "") -> SigningKeys:
        """Replace the key; return the new keys. Running writers take it at their next record.

        The last record of the old key names the new one, so that whoever trusts the old one can
        verify what follows.

        Raises:
            AuditUnavailable: the audit or the key file cannot be written; nothing has changed.

        """
        with self._exclusive():
            old = self._key_file.load()
            new = old.successor()
            why = " · ".join(filter(None, ("the key was replaced", bounded(reason))))
            self._append([_key_record(old.id, new.public, why, actor)], old)
            new.write(self._key_file.path)
            return new

    def remove_files(self, files: Sequence[Path], reason: str) -> None:
        """Remove the oldest rotated files; a record before that says so, or lines look stolen.

        Raises:
            AuditUnavailable: the audit cannot be written; nothing was removed.

        """
        with self._exclusive():
            last = sequence_of(files[-1])
            record = AuditRecord(
                id=f"audit-removed/{last}",
                at=datetime.now(UTC),
                kind=RecordKind.AUDIT_FILES_REMOVED,
                after=str(last),
                detail=reason,
            )
            self._append([record], self._key_file.load())
            for file in files:
                file.unlink(missing_ok=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        try:
            with self._mutex, self._file_lock():
                yield
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AuditUnavailable(
                f"cannot write the audit log {self.path}: {reason}; "
                "free some space or set CLAWBACK_AUDIT to another file"
            ) from error
        except AuditKeyError as error:
            raise AuditUnavailable(f"cannot sign the audit log: {error}") from error
        except InvalidLine as error:
            raise AuditUnavailable(
                f"cannot continue the audit log {self.path}, its last line is damaged: {error}; "
                "move the file away"
            ) from error

    def _append(self, records: Sequence[AuditRecord], keys: SigningKeys) -> tuple[AuditRecord, ...]:
        with self._open() as file:
            self._catch_up(file, keys)
            is_full = self._offset >= self._max_bytes or self._is_old()

        if is_full:
            self.path.rename(f"{self.path}.{self._link.sequence:012d}")
            self.rotations += 1

        # Within the batch, too: the calls that share it may repeat each other.
        unknown = (record for record in records if record.id not in self._recent)
        new = tuple({record.id: record for record in unknown}.values())
        if new:
            new = (*self._explain_key(keys), *new)
            # Opened again, because after a rotation the path names a new file.
            with self._open() as file:
                self._write(file, new, keys)

        return new

    def _is_old(self) -> bool:
        if self._max_age is None or self._begins_at is None:
            return False
        return datetime.now(UTC) - self._begins_at >= self._max_age

    def _explain_key(self, keys: SigningKeys) -> Iterator[AuditRecord]:
        """Record that the key which signed the last line is not known here any more."""
        before = self._link.key
        if before and before not in {key.id for key in keys.all_public}:
            why = "the key file was lost or replaced, so nothing vouches for the new key"
            yield _key_record(before, keys.public, why)

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A separate file: the audit log itself is renamed when it is rotated.
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _open(self) -> Iterator[int]:
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    def _catch_up(self, file: int, keys: SigningKeys) -> None:
        """Read what other processes wrote since the last call.

        Cuts off a line that a crash left incomplete: no writer has reported its success.
        """
        known = self._link
        # Another process has rotated the file, or somebody has replaced it.
        has_changed = os.fstat(file).st_ino != self._inode or not self._is_continued(file)
        if has_changed:
            self._restart(file, keys)

        data = os.pread(file, os.fstat(file).st_size - self._offset, self._offset)
        complete = data[: data.rfind(b"\n") + 1]
        if len(complete) < len(data):
            os.ftruncate(file, self._offset + len(complete))

        self._follow(complete.splitlines(), keys)
        self._offset += len(complete)
        if has_changed and self._link.sequence < known.sequence:
            # Lines were taken away. Their numbers must not be given again, so that this shows.
            self._link = known

    def _is_continued(self, file: int) -> bool:
        """Whether the file still has our last line where that ended; a truncated one may not."""
        if self._offset == 0:
            return True
        start = max(0, self._offset - _SEAL_BYTES)
        end = os.pread(file, self._offset - start, start)
        is_whole = len(end) == self._offset - start and end.endswith(b"\n")
        return is_whole and self._link.hash.encode() in end

    def _adopt(self) -> None:
        """Give what another program rotated the name that it has in the chain.

        Otherwise that program would rename it again, and remove it without a record of that.
        """
        for file in list_foreign_files(self.path):
            end = COMPRESSED if file.suffix == COMPRESSED else ""
            target = self.path.with_name(f"{self.path.name}.{sequence_of(file):012d}{end}")
            if not target.exists():
                file.rename(target)
                self.adopted += 1

    def _restart(self, file: int, keys: SigningKeys) -> None:
        """Continue the chain from near the end of this file or of the newest rotated one."""
        self._adopt()
        status = os.fstat(file)
        self._inode, self._offset = status.st_ino, _line_start(file, status.st_size)
        self._begins_at = _time_of_first_line(file)
        # The newest rotated file: a new one continues the chain from its last line.
        for rotated in audit_files(self.path)[-2:-1]:
            self._follow(_read_end(rotated), keys)

    def _follow(self, lines: Iterable[bytes], keys: SigningKeys) -> None:
        last: SealedLine | None = None
        for line in lines:
            last = read_line(line)
            self._link = last.link
            self._remember(self._link.uid)

        # The last one vouches for those before it; checking each would take a writer seconds.
        if last is not None:
            _check_signature(last, keys)

    def _remember(self, uid: str) -> None:
        self._recent[uid] = None
        if len(self._recent) > _MAX_RECENT:
            self._recent.popitem(last=False)

    def _write(self, file: int, records: Sequence[AuditRecord], keys: SigningKeys) -> None:
        size = os.fstat(file).st_size
        link, lines = self._link, list[bytes]()
        for record in records:
            line, link = write_line(record, link, keys)
            lines.append(line)
        data = b"".join(lines)

        try:
            _write_all(file, data)
            os.fsync(file)
        except OSError:
            # All or nothing: no part of a batch may stay behind.
            with suppress(OSError):
                os.ftruncate(file, size)
            raise

        if size == 0:
            self._begins_at = records[0].at
        self._inode, self._offset, self._link = os.fstat(file).st_ino, size + len(data), link
        for record in records:
            self._remember(record.id)


def refuse_own_kinds(records: Iterable[AuditRecord]) -> None:
    """Refuse records that verifiers act by: a new key, lines that may be missing.

    Raises:
        ValueError: there is one.

    """
    if any(record.kind in _OWN_KINDS for record in records):
        raise ValueError("what a verifier acts by is written by `rotate_key`, `remove_files` alone")


def default_key_file(path: Path) -> Path:
    """Return the key file of an audit if no other one is set."""
    return path.with_name(f"{path.name}.key")


def _check_signature(line: SealedLine, keys: SigningKeys) -> None:
    signer = next((key for key in keys.all_public if key.id == line.link.key), None)
    if signer is not None and not signer.has_signed(line.link.hash, line.signature):
        raise InvalidLine("its signature is not of the key that it names")


def _key_record(before: str, after: PublicKey, why: str, actor: Actor | None = None) -> AuditRecord:
    return AuditRecord(
        id=f"audit-key/{after.id}/{before}",
        at=datetime.now(UTC),
        kind=RecordKind.AUDIT_KEY_CHANGED,
        before=before,
        after=after.text,
        detail=why,
        **(actor.audit_fields if actor else {}),
    )


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _read_end(rotated: Path) -> list[bytes]:
    """Read the last lines of a rotated file; a compressed one has to be read whole."""
    with open_audit_file(rotated) as old:
        if rotated.suffix == COMPRESSED:
            lines = old.read()[-_CATCH_UP_BYTES:].splitlines()
            return lines[-1:]
        size = old.seek(0, os.SEEK_END)
        old.seek(_line_start(old.fileno(), size))
        return old.read().splitlines()


def _time_of_first_line(file: int) -> datetime | None:
    found = _TIME.search(os.pread(file, 4096, 0))
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC) if found else None


def _line_start(file: int, size: int) -> int:
    """Find the first complete line within reach of the end."""
    if size <= _CATCH_UP_BYTES:
        return 0
    end = os.pread(file, _CATCH_UP_BYTES, size - _CATCH_UP_BYTES)
    return size - _CATCH_UP_BYTES + end.find(b"\n") + 1
