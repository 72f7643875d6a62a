"""Unpacks an archive of a backup, and verifies every member against its manifest."""

import hashlib
import tarfile
import zlib
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from clawback.backup.errors import BackupDamaged, NotRestorable
from clawback.backup.manifest import FORMAT, MANIFEST, Manifest, Member

_BUFFER = 1 << 20
_MOST_MANIFEST = 64 << 20


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack an archive into a folder; return its manifest.

    Raises:
        BackupDamaged: it is no backup, is incomplete, or was changed.
        NotRestorable: it is of a later version of clawback.

    """
    folder.mkdir(mode=0o700)
    try:
        with tarfile.open(archive, mode="r|gz") as members:
            return _unpack_all(members, archive, folder)
    except FileNotFoundError:
        raise BackupDamaged(f"there is no file {archive}") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise BackupDamaged(f"{archive} is no backup, or incomplete: {error}") from error


def _unpack_all(members: tarfile.TarFile, archive: Path, folder: Path) -> Manifest:
    described: Manifest | None = None
    expected: dict[str, Member] = {}
    for entry in members:
        content = members.extractfile(entry) if entry.isfile() else None
        if content is None:
            raise BackupDamaged(f"{archive} has {entry.name}, which is no file")
        if described is None:
            described = _read_manifest(content, entry, archive)
            expected = {member.name: member for member in described.members}
        elif (member := expected.pop(entry.name, None)) is None:
            raise BackupDamaged(f"{archive} has {entry.name}, which its manifest does not name")
        else:
            _unpack(content, member, archive, folder / member.name)

    if described is None or expected:
        lacking = next(iter(expected), MANIFEST)
        raise BackupDamaged(f"{archive} lacks {lacking}: it is incomplete; use another backup")
    return described


def _read_manifest(content: IO[bytes], entry: tarfile.TarInfo, archive: Path) -> Manifest:
    if entry.name != MANIFEST or entry.size > _MOST_MANIFEST:
        raise BackupDamaged(f"{archive} is no backup of clawback: it has no manifest")
    try:
        described = Manifest.model_validate_json(content.read())
    except ValidationError as error:
        raise BackupDamaged(f"the manifest of {archive} cannot be read: {error}") from error
    if described.format > FORMAT:
        raise NotRestorable(f"{archive} is of a later clawback ({described.build}); install that")
    return described


def _unpack(content: IO[bytes], member: Member, archive: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while block := content.read(_BUFFER):
            digest.update(block)
            file.write(block)
    if target.stat().st_size != member.size or digest.hexdigest() != member.sha256:
        raise BackupDamaged(
            f"{member.name} in {archive} is not what was backed up: the file was changed or "
            "damaged; use another backup"
        )
