"""Compresses the rotated files of an audit, and finds those that need not be kept.

The newest rotated file stays as it is: writers continue the chain from its end.
"""

import fcntl
import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clawback.audit.files import COMPRESSED, audit_files, sequence_of

_LEVEL = 6
"""A tenth of the size; higher levels take much longer for little."""


def compress_rotated(path: Path) -> list[Path]:
    """Compress what is rotated, one process at a time; return the new files.

    Raises:
        OSError: a file cannot be read or written; the original is still there.

    """
    with _only_one(path) as may_work:
        plain = [file for file in _old_files(path) if file.suffix != COMPRESSED]
        return [_compress(file) for file in plain] if may_work else []


def find_removable(
    path: Path,
    keep: timedelta | None,
    shipped: int | None = None,
    *,
    most_bytes: int | None = None,
) -> list[Path]:
    """Return the files that need not be kept, oldest first.

    Args:
        path: the audit file.
        keep: files whose records are all older need not be kept; None keeps them.
        shipped: the last line that a collector has; None if there is none to ship to.
        most_bytes: what all files together may take; the oldest beyond it need not be kept.

    """
    before = (datetime.now(UTC) - keep).timestamp() if keep is not None else float("-inf")
    size = sum(file.stat().st_size for file in audit_files(path))
    removable: list[Path] = []
    for file in _old_files(path):
        status = file.stat()
        is_shipped = shipped is None or sequence_of(file) <= shipped
        is_too_much = most_bytes is not None and size > most_bytes
        if not is_shipped or not (status.st_mtime < before or is_too_much):
            break
        removable.append(file)
        size -= status.st_size
    return removable


def _old_files(path: Path) -> list[Path]:
    rotated = [file for file in audit_files(path) if file != path]
    return rotated[:-1]


def _compress(file: Path) -> Path:
    new, done = (file.with_name(f"{file.name}{end}") for end in (f"{COMPRESSED}.new", COMPRESSED))
    status = file.stat()
    target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(target, "wb") as raw, file.open("rb") as lines:
        with gzip.GzipFile("", "wb", _LEVEL, raw, status.st_mtime) as packed:
            shutil.copyfileobj(lines, packed, 1024 * 1024)
        raw.flush()
        os.fsync(raw.fileno())

    # Its age counts from its last record. Readers take the original while both are there.
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(done)
    file.unlink()
    return done


@contextmanager
def _only_one(path: Path) -> Iterator[bool]:
    """Tell whether no other process is at it; never the lock that writers wait for."""
    lock = os.open(f"{path}.tidy.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)
