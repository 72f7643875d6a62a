"""The key ring: the keys that encrypt payloads, and the file that holds them.

A file has one key per line, base64 of 32 bytes. Empty lines and lines that begin with `#` are
ignored. The first key is the current one: it encrypts. All keys decrypt.

`clawback keys` notes in such lines when a key became current, and until when it was. That says
which workflows may need it; a file that something else writes has no notes.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from clawback.model.loggable import LoggableError

KEY_BYTES: Final = 32
"""The key length of AES-256."""
_ID_DIGITS = 8
_NOTE = re.compile(r"# (?P<id>[0-9a-f]{8}) (?P<use>added|current since|current until) (?P<at>\S+)")
_HEADER = "# Keys of clawback, one per line. The first encrypts, all decrypt. Keep them secret."


class PayloadKeyError(LoggableError, ValueError):
    """A key is unusable or missing, or the namespace was written with another key."""


class KeyUse(StrEnum):
    """What a key was last noted to be."""

    ADDED = "added"
    CURRENT = "current since"
    FORMER = "current until"


@dataclass(frozen=True)
class KeyNote:
    """When a key was added, became current, or ceased to be."""

    use: KeyUse
    at: datetime


@dataclass(frozen=True, repr=False)
class Key:
    """One key. Its id says nothing about it, and stands in every payload."""

    secret: bytes

    @property
    def id(self) -> str:
        """The first digits of the SHA-256 of the key."""
        return hashlib.sha256(self.secret).hexdigest()[:_ID_DIGITS]

    @property
    def line(self) -> str:
        """The key as a line of a file."""
        return base64.b64encode(self.secret).decode()

    def __repr__(self) -> str:
        return f"Key({self.id})"

    @classmethod
    def generate(cls) -> "Key":
        """Make a random key."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, line: str, place: str) -> "Key":
        """Read a key; `place` names the line in errors.

        Raises:
            PayloadKeyError: the line is not base64 of 32 bytes.

        """
        try:
            secret = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            secret = b""

        if len(secret) != KEY_BYTES:
            raise PayloadKeyError(
                f"{place} is not base64 of {KEY_BYTES} bytes; create a key with "
                f"`clawback keys new FILE` or `openssl rand -base64 {KEY_BYTES}`"
            )
        return cls(secret)


class KeyRing:
    """Keys in the order of the file; never empty."""

    def __init__(self, keys: Iterable[Key], notes: Mapping[str, KeyNote] | None = None) -> None:
        self._keys = tuple(dict.fromkeys(keys))
        ids = {key.id for key in self._keys}
        self.notes = {id_: note for id_, note in (notes or {}).items() if id_ in ids}
        """What is known of keys, by their ids."""
        if not self._keys:
            raise PayloadKeyError("the key ring is empty; `clawback keys new FILE` writes one")

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(self._keys)

    @property
    def current(self) -> Key:
        """The key that encrypts."""
        return self._keys[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the current one first."""
        return tuple(key.id for key in self._keys)

    def with_key(self, key: Key) -> "KeyRing":
        """Return a ring with one more key, which only decrypts."""
        return KeyRing((*self._keys, key), {**self.notes, key.id: _note(KeyUse.ADDED)})

    def with_current(self, id_: str) -> "KeyRing":
        """Return a ring in which the key with this id encrypts.

        Raises:
            PayloadKeyError: there is no such key.

        """
        key = self._find(id_)
        if key == self.current:
            return self

        changed = {self.current.id: _note(KeyUse.FORMER), key.id: _note(KeyUse.CURRENT)}
        others = (one for one in self._keys if one != key)
        return KeyRing((key, *others), {**self.notes, **changed})

    def without(self, id_: str) -> "KeyRing":
        """Return a ring without the key with this id.

        Raises:
            PayloadKeyError: there is no such key, or it is the current one.

        """
        key = self._find(id_)
        if key == self.current:
            raise PayloadKeyError(
                f"key {id_} is the current one; make another one current first: "
                "`clawback keys use ID`"
            )
        return KeyRing((one for one in self._keys if one != key), self.notes)

    def _find(self, id_: str) -> Key:
        for key in self._keys:
            if key.id == id_:
                return key
        raise PayloadKeyError(f"the key ring has no key {id_}; it has {', '.join(self.ids)}")


def read_key_file(path: Path) -> KeyRing:
    """Read a file of keys.

    Raises:
        PayloadKeyError: it cannot be read, a line is no key, or it holds none.

    """
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text file"
        raise PayloadKeyError(f"cannot read the key file {path}: {reason}") from None

    return parse_keys("\n".join(lines), path)


def parse_keys(text: str, path: Path) -> KeyRing:
    """Read the content of a file of keys.

    Raises:
        PayloadKeyError: a line is no key, or there is none.

    """
    lines = text.splitlines()
    keys = [
        Key.parse(text, f"line {number} of {path}")
        for number, line in enumerate(lines, 1)
        if (text := line.strip()) and not text.startswith("#")
    ]
    if not keys:
        raise PayloadKeyError(f"the key file {path} holds no key")
    return KeyRing(keys, dict(_read_notes(lines)))


def _read_notes(lines: Iterable[str]) -> Iterator[tuple[str, KeyNote]]:
    """Read the notes that we wrote; what does not look like one is a comment of somebody."""
    for line in lines:
        if found := _NOTE.fullmatch(line.strip()):
            with suppress(ValueError):
                at = datetime.fromisoformat(found["at"])
                yield found["id"], KeyNote(KeyUse(found["use"]), at.astimezone(UTC))


def create_key_file(path: Path) -> KeyRing:
    """Write a new file with one key, which only its owner may read.

    Raises:
        FileExistsError: the file exists.

    """
    key = Key.generate()
    ring = KeyRing([key], {key.id: _note(KeyUse.CURRENT)})
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(path, ring, os.O_EXCL)
    return ring


def replace_key_file(path: Path, ring: KeyRing) -> None:
    """Replace the keys of a file; a crash leaves the old file whole."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    _write(new, ring, os.O_TRUNC)
    new.replace(path)


def _describe(key: Key, ring: KeyRing) -> Iterator[str]:
    if (note := ring.notes.get(key.id)) is not None:
        yield f"# {key.id} {note.use} {note.at:%Y-%m-%dT%H:%M:%SZ}"


def _note(use: KeyUse) -> KeyNote:
    return KeyNote(use, datetime.now(UTC).replace(microsecond=0))


def _write(path: Path, ring: KeyRing, flag: int) -> None:
    lines = [line for key in ring for line in (*_describe(key, ring), key.line)]
    text = "\n".join([_HEADER, *lines, ""])
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        # A key that is lost makes every case unreadable.
        os.fsync(stream.fileno())
