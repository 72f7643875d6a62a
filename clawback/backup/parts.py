"""What belongs into a backup, as open files: what others write meanwhile changes none of it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clawback.audit import audit_files
from clawback.backup import manifest
from clawback.backup.errors import BackupError
from clawback.settings import Settings
from clawback.shipping.cursor import cursor_file
from clawback.temporal.installation_keys import key_file


@dataclass(frozen=True)
class Part:
    """A file from its beginning, up to a size; the rest of it is newer than the backup."""

    name: str
    file: BinaryIO
    size: int


def open_parts(settings: Settings, stack: ExitStack) -> Iterator[Part]:
    """Open everything but the database and the keys.

    Raises:
        OSError: a file cannot be read.

    """
    yield from _audit_parts(settings.audit_file, stack)
    yield from _open_some(manifest.SHIPPED, cursor_file(settings.audit_file), stack)
    yield from _open_some(manifest.GUARD, settings.folder / "guard.json", stack)
    if settings.safety is not None:
        yield from _open_some(manifest.SAFETY, settings.safety, stack)
    for file in sorted(settings.rules.rglob("*")):
        inside = file.relative_to(settings.rules)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield from _open_some(f"{manifest.RULES}/{inside.as_posix()}", file, stack)


def open_secrets(settings: Settings, stack: ExitStack) -> Iterator[Part]:
    """Open what must be kept apart: keys, and channels, whose addresses are secrets.

    Raises:
        OSError: a file cannot be read.

    """
    files = {
        manifest.PAYLOAD_KEYS: key_file(settings),
        manifest.AUDIT_KEY: settings.audit_key,
        manifest.CHANNELS: settings.channels,
    }
    for name, file in files.items():
        if file is not None:
            yield from _open_some(name, file, stack)


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database that a server writes to, as it is at one moment.

    Raises:
        BackupError: it is damaged, or cannot be read.

    """
    try:
        with (
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            # All pages in one step are one transaction: writers go on, and it sees none of that.
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode = DELETE")
            check_database(target)
    except sqlite3.Error as error:
        raise BackupError(f"cannot copy the database {database}: {error}") from error


def check_database(database: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` if pages of a database are damaged."""
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(str(found)[:200])


def _audit_parts(audit: Path, stack: ExitStack) -> Iterator[Part]:
    with _no_writer(audit):
        opened = [
            (file, stack.enter_context(file.open("rb")), file.stat().st_size)
            for file in audit_files(audit)
        ]
    for file, stream, size in opened:
        yield Part(f"{manifest.AUDIT}/{file.name}", stream, size)


@contextmanager
def _no_writer(audit: Path) -> Iterator[None]:
    """Keep writers from rotating while the files are opened; with that, every line is complete."""
    try:
        lock = os.open(f"{audit}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


def _open_some(name: str, file: Path, stack: ExitStack) -> Iterator[Part]:
    """Open a file that need not be there."""
    if file.is_file():
        stream = stack.enter_context(file.open("rb"))
        yield Part(name, stream, os.fstat(stream.fileno()).st_size)
