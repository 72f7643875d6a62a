"""Writes a backup while the installation runs: one archive, and the keys in another."""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from clawback.app_files import build_id
from clawback.audit.backlog import read_lines
from clawback.backup import manifest as names
from clawback.backup.errors import BackupError
from clawback.backup.manifest import MANIFEST, AuditHead, Manifest, Member
from clawback.backup.parts import Part, copy_database, open_parts, open_secrets
from clawback.local.installation import plan_installation
from clawback.local.server_database import written_by
from clawback.settings import Settings
from clawback.temporal.client import read_keys

_BUFFER = 1 << 20
_LAST_LINES = 1 << 20
_FAST = 1
"""The level of gzip: database and audit are encrypted or compressed already, in large part."""


@dataclass(frozen=True)
class Backup:
    """What was written. `secrets` are the files that are in no archive, and must be kept apart."""

    manifest: Manifest
    file: Path
    size: int
    keys: Path | None
    secrets: tuple[str, ...]


def write_backup(settings: Settings, file: Path, keys: Path | None = None) -> Backup:
    """Write a backup of an installation, and its keys to a file of their own if one is named.

    Raises:
        BackupError: a file exists already, is too large for the disk, or cannot be read or written.
        PayloadKeyError: the key file is unusable.

    """
    for one in filter(None, (file, keys)):
        if one.exists():
            raise BackupError(f"{one} exists; name a new file")
    try:
        return _write(settings, file, keys)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise BackupError(f"cannot write the backup: {where}{error.strerror or error}") from error


def _write(settings: Settings, file: Path, keys: Path | None) -> Backup:
    server = plan_installation(settings).temporal
    with ExitStack() as stack:
        staging = stack.enter_context(
            tempfile.TemporaryDirectory(prefix=".backup-", dir=file.parent)
        )
        parts: list[Part] = []
        has_database = server is not None and server.database.exists()
        if server is not None and has_database:
            _require_space(server.database, file.parent)
            copy_database(server.database, copy := Path(staging) / names.DATABASE)
            stream = stack.enter_context(copy.open("rb"))
            parts.append(Part(names.DATABASE, stream, copy.stat().st_size))
        # After the database: the audit then has every line that the database knows of.
        parts += open_parts(settings, stack)
        secrets = list(open_secrets(settings, stack))
        ring = read_keys(settings)

        described = Manifest(
            created_at=datetime.now(UTC),
            build=build_id(),
            account=settings.account,
            deployment=settings.deployment,
            temporal=written_by(server.database) if server is not None and has_database else None,
            audit=settings.audit_file.name,
            audit_head=_head_of(parts, settings),
            key_ids=ring.ids if ring is not None else (),
        )
        written = _write_archive(file, described, parts)
        if keys is not None:
            _write_archive(keys, described, secrets)
    kept_apart = () if keys is not None else tuple(part.file.name for part in secrets)
    return Backup(written, file, file.stat().st_size, keys, kept_apart)


def _require_space(database: Path, folder: Path) -> None:
    """Raise if the copy and its archive do not fit on the disk."""
    needed = 2 * sum(one.stat().st_size for one in database.parent.glob(f"{database.name}*"))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"{folder} has {free >> 20:,} MiB free, and the backup may need {needed >> 20:,}; "
            "write it to another disk"
        )


def _head_of(parts: Sequence[Part], settings: Settings) -> AuditHead | None:
    """Read the head of the live file; None if it is empty, or was just rotated."""
    live = f"{names.AUDIT}/{settings.audit_file.name}"
    head: AuditHead | None = None
    for part in parts:
        if part.name == live:
            part.file.seek(max(0, part.size - _LAST_LINES))
            end = io.BytesIO(part.file.read(part.size - part.file.tell()))
            for line in read_lines(end):
                head = AuditHead(sequence=line.sequence, hash=line.hash)
    return head


def _write_archive(file: Path, described: Manifest, parts: Sequence[Part]) -> Manifest:
    members = tuple(
        Member(name=part.name, size=part.size, sha256=hash_stream(part.file, part.size))
        for part in parts
    )
    whole = described.model_copy(update={"members": members})
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            _write_tar(stream, whole, parts)
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)
    return whole


def _write_tar(stream: IO[bytes], described: Manifest, parts: Sequence[Part]) -> None:
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=_FAST) as archive:
        text = described.model_dump_json(indent=2).encode()
        archive.addfile(_entry(MANIFEST, len(text), described), io.BytesIO(text))
        for part in parts:
            part.file.seek(0)
            archive.addfile(_entry(part.name, part.size, described), part.file)


def _entry(name: str, size: int, described: Manifest) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    entry.mtime = described.created_at.timestamp()
    return entry


def hash_stream(stream: IO[Any], size: int) -> str:
    """Return the SHA-256 of a stream from its beginning, up to a size."""
    stream.seek(0)
    digest = hashlib.sha256()
    while size and (block := stream.read(min(size, _BUFFER))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
