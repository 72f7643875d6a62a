"""Restores a backup into an empty state folder: verified first, then put in place."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from clawback.audit import (
    AuditKeyError,
    AuditLog,
    AuditUnavailable,
    Broken,
    PublicKey,
    audit_files,
    read_public_keys,
    verify,
)
from clawback.backup import manifest as names
from clawback.backup.aftermath import Aftermath, read_aftermath
from clawback.backup.archive import unpack
from clawback.backup.errors import BackupDamaged, NotRestorable
from clawback.backup.manifest import Manifest
from clawback.backup.parts import check_database
from clawback.local import lock_state
from clawback.local.server_database import note_writer
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor
from clawback.private_files import hide
from clawback.settings import Settings
from clawback.shipping.cursor import cursor_file
from clawback.temporal.guard_memory import remember_restored
from clawback.temporal.installation_keys import default_key_file
from clawback.temporal.key_ring import KeyRing, PayloadKeyError, read_key_file

_HARMLESS = frozenset({"lock", "simulator", ".probe"})
"""What may be in a folder that counts as empty."""


@dataclass(frozen=True)
class RestoreOptions:
    """`keys` is the archive of the keys, `audit` one that survived, `rules` where to put those."""

    keys: Path | None = None
    audit: Path | None = None
    rules: Path | None = None


@dataclass(frozen=True)
class Restored:
    """What was restored. `files` are those that were put in place, by what they are."""

    manifest: Manifest
    files: dict[str, Path]
    aftermath: Aftermath | None


def restore(settings: Settings, archive: Path, options: RestoreOptions, actor: Actor) -> Restored:
    """Restore a backup.

    Raises:
        StateFolderLocked: the installation runs.
        BackupDamaged: the file is no backup, or was changed.
        NotRestorable: it does not belong here, a key is missing, or there is something already.

    """
    folder = settings.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_state(folder), _room_beside(folder) as room:
        _require_empty(settings, options)
        described = unpack(archive, room / "data")
        _require_account(settings, described)
        if options.keys is not None:
            unpack(options.keys, room / "secrets")
        return _Restoring(settings, options, described, room).run(actor)


class _Restoring:
    """A backup that lies unpacked beside the state folder."""

    def __init__(
        self, settings: Settings, options: RestoreOptions, described: Manifest, room: Path
    ) -> None:
        self._settings = settings
        self._options = options
        self._manifest = described
        self._data, self._secrets = room / "data", room / "secrets"
        self._files: dict[str, Path] = {}

    def run(self, actor: Actor) -> Restored:
        """Verify everything, then put it in place."""
        self._verify_database()
        ring = self._find_keys()
        trusted = self._find_audit_keys()
        self._verify_audit(trusted)
        aftermath = self._read_aftermath(trusted)

        self._place_secrets(ring)
        self._place_audit()
        self._place_rules()
        self._place_database()
        hide(self._settings.private_paths())
        self._record(actor, aftermath)
        return Restored(self._manifest, self._files, aftermath)

    def _verify_database(self) -> None:
        copy = self._data / names.DATABASE
        if copy.exists():
            try:
                with closing(sqlite3.connect(copy)) as database:
                    check_database(database)
            except sqlite3.Error as error:
                raise BackupDamaged(f"the database in the backup is damaged: {error}") from error

    def _find_keys(self) -> KeyRing | None:
        """Find the keys that the backup needs: those of its archive, else those that are set.

        Raises:
            NotRestorable: one is missing.

        """
        needed = self._manifest.key_ids
        if not needed:
            return None

        unpacked = self._secrets / names.PAYLOAD_KEYS
        file = unpacked if unpacked.exists() else self._settings.encryption_key_file
        ring: KeyRing | None = None
        if file is not None:
            try:
                ring = read_key_file(file)
            except PayloadKeyError as error:
                raise NotRestorable(str(error)) from error
        missing = [id_ for id_ in needed if ring is None or id_ not in ring.ids]
        if missing and self._settings.encryption_key is None:
            raise NotRestorable(
                f"the backup was encrypted with key {missing[0]}, which is not here: name the "
                "archive of the keys with --keys, or set CLAWBACK_ENCRYPTION_KEY_FILE"
            )
        return ring

    def _find_audit_keys(self) -> tuple[PublicKey, ...] | None:
        unpacked = self._secrets / names.AUDIT_KEY
        file = unpacked if unpacked.exists() else self._settings.audit_key
        if not file.exists():
            return None
        try:
            return tuple(read_public_keys(file))
        except AuditKeyError as error:
            raise NotRestorable(f"the key of the audit is unusable: {error}") from error

    def _verify_audit(self, trusted: tuple[PublicKey, ...] | None) -> None:
        if self._manifest.audit_head is None:
            return
        heads = [self._manifest.audit_head.head]
        found = verify(self._unpacked_audit, trusted, heads, archived=True)
        if isinstance(found, Broken):
            raise BackupDamaged(f"the audit in the backup is damaged: {found.reason}")

    @property
    def _unpacked_audit(self) -> Path:
        return self._data / names.AUDIT / self._manifest.audit

    def _read_aftermath(self, trusted: tuple[PublicKey, ...] | None) -> Aftermath | None:
        if self._options.audit is None:
            return None
        if self._manifest.audit_head is None:
            raise NotRestorable("the backup has no audit that --audit could continue; leave it out")
        return read_aftermath(self._options.audit, self._manifest.audit_head.head, trusted)

    def _place_secrets(self, ring: KeyRing | None) -> None:
        unpacked = self._secrets / names.PAYLOAD_KEYS
        if ring is not None and unpacked.exists():
            target = self._settings.encryption_key_file or default_key_file(self._settings)
            self._place("encryption keys", unpacked, target)
        self._place("audit key", self._secrets / names.AUDIT_KEY, self._settings.audit_key)
        channels = self._settings.channels or self._settings.folder / names.CHANNELS
        self._place("channels", self._secrets / names.CHANNELS, channels)

    def _place_audit(self) -> None:
        """Put the audit in place, the one that survived if there is one: it has more lines."""
        audit = self._settings.audit_file
        source = self._options.audit or self._unpacked_audit
        for file in audit_files(source):
            target = audit.with_name(audit.name + file.name.removeprefix(source.name))
            self._place(f"audit {file.name}", file, target, moves=self._options.audit is None)
        self._place("shipped", self._data / names.SHIPPED, cursor_file(audit))

    def _place_rules(self) -> None:
        if (folder := self._options.rules) is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((self._data / names.RULES).rglob("*")):
            if file.is_file():
                inside = file.relative_to(self._data / names.RULES)
                self._place(f"rule {inside}", file, folder / inside)
        safety = self._settings.safety or folder / names.SAFETY
        self._place("safety", self._data / names.SAFETY, safety)

    def _place_database(self) -> None:
        """Put the database in place, last: with it the installation is one."""
        folder = self._settings.folder
        remember_restored(self._data / names.GUARD)
        self._place("guard", self._data / names.GUARD, folder / names.GUARD)
        target = folder / names.DATABASE
        if self._manifest.temporal is not None:
            note_writer(target, self._manifest.temporal)
        self._place("database", self._data / names.DATABASE, target)

    def _place(self, what: str, file: Path, target: Path, *, moves: bool = True) -> None:
        """Move a file to its place, or copy it; what is there already stays."""
        if not file.exists() or target.exists():
            return
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _copy_file(file, target)
        if moves:
            file.unlink()
        self._files[what] = target

    def _record(self, actor: Actor, aftermath: Aftermath | None) -> None:
        """Write to the audit that it goes on from a backup, if it can be signed."""
        made = self._manifest.created_at
        if self._manifest.audit_head is None or not self._settings.audit_key.exists():
            return
        record = AuditRecord(
            id=f"restored/{uuid4().hex}",
            at=datetime.now(UTC),
            kind=RecordKind.RESTORED,
            detail=f"from a backup of {made:%FT%TZ}"
            + ("" if aftermath is None else f" · {aftermath.records} later records kept"),
            **actor.audit_fields,
        )
        try:
            AuditLog(self._settings.audit_file, self._settings.audit_key).append([record])
        except AuditUnavailable as error:
            raise NotRestorable(str(error)) from error


@contextmanager
def _room_beside(folder: Path) -> Iterator[Path]:
    """Give a folder on the same disk, so that files can be put in place."""
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder.parent) as room:
        yield Path(room)


def _copy_file(file: Path, target: Path) -> None:
    """Copy a file so that it is whole or not there."""
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    with (
        file.open("rb") as source,
        os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy,
    ):
        while block := source.read(1 << 20):
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    new.rename(target)


def _require_empty(settings: Settings, options: RestoreOptions) -> None:
    found = [one for one in settings.folder.iterdir() if one.name not in _HARMLESS]
    if options.rules is not None and options.rules.is_dir():
        found += options.rules.iterdir()
    # With another place for the audit, it may be the one of a running installation.
    found += audit_files(settings.audit_file)
    if found:
        raise NotRestorable(
            f"{found[0]} exists: a backup is restored into an empty state folder only; move what "
            "is there away, or set CLAWBACK_STATE to a new folder"
        )


def _require_account(settings: Settings, described: Manifest) -> None:
    if described.account != settings.account:
        here, there = settings.account or "no account", described.account or "no account"
        raise NotRestorable(
            f"the backup is of {there}, and the settings name {here}: set CLOUDFLARE_ACCOUNT_ID "
            "and CLOUDFLARE_API_TOKEN of that account"
        )
