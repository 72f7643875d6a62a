"""The keys that sign audit lines: Ed25519, so that an auditor can verify and cannot sign.

A key file holds the private key as PEM, and below it the public keys that it replaced, newest
first. An auditor's file holds public keys only. A key id is the start of the SHA-256 of the public
key; it stands in every line.

AuditKeyError    a file of keys is unusable; the text names it and the remedy
"""

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clawback.model.loggable import LoggableError

_ID_DIGITS = 16
_PURPOSE: Final = b"clawback audit line 1\n"
"""Stands before everything that is signed, so that a signature means nothing elsewhere."""
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)
_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw


class AuditKeyError(LoggableError, ValueError):
    """A file of audit keys is unusable; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies."""

    key: Ed25519PublicKey

    @property
    def id(self) -> str:
        """The first digits of the SHA-256 of the key."""
        return hashlib.sha256(self.key.public_bytes(*_RAW)).hexdigest()[:_ID_DIGITS]

    @property
    def text(self) -> str:
        """The key as base64 of its 32 bytes, as a record of the audit names it."""
        return base64.b64encode(self.key.public_bytes(*_RAW)).decode()

    @property
    def pem(self) -> bytes:
        """The key as PEM."""
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read what `text` gives; raises ValueError."""
        return cls(Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True)))

    def has_signed(self, line_hash: str, signature: bytes) -> bool:
        """Whether a signature over the hash of a line is of this key."""
        try:
            self.key.verify(signature, _PURPOSE + line_hash.encode())
        except InvalidSignature:
            return False
        return True


class SigningKeys:
    """The private key of an installation, and the public keys that it replaced."""

    def __init__(self, private: Ed25519PrivateKey, retired: Iterable[PublicKey] = ()) -> None:
        self._private = private
        self.public = PublicKey(private.public_key())
        self.id = self.public.id
        self.retired = tuple(retired)

    @property
    def all_public(self) -> tuple[PublicKey, ...]:
        """Every key that has signed, the current one first."""
        return (self.public, *self.retired)

    def sign(self, line_hash: str) -> bytes:
        """Sign the hash of a line."""
        return self._private.sign(_PURPOSE + line_hash.encode())

    def successor(self) -> "SigningKeys":
        """Make a new key that replaces this one."""
        return SigningKeys(Ed25519PrivateKey.generate(), self.all_public)

    @classmethod
    def generate(cls) -> "SigningKeys":
        """Make a first key."""
        return cls(Ed25519PrivateKey.generate())

    def write(self, path: Path) -> None:
        """Write the key file, for its owner alone; a crash leaves the old file whole."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(private + b"".join(key.pem for key in self.retired))
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)


class KeyFile:
    """The key file of a writer, read again when it has changed, so that keys can be rotated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: SigningKeys | None = None

    def load(self) -> SigningKeys:
        """Return the keys; the first writer of an installation makes them.

        Call it while you hold the lock of the audit.

        Raises:
            AuditKeyError: the file holds no private key.
            OSError: it cannot be read or made.

        """
        try:
            seen = _identity(self.path)
        except FileNotFoundError:
            SigningKeys.generate().write(self.path)
            seen = _identity(self.path)

        if self._keys is None or seen != self._seen:
            self._keys, self._seen = read_signing_keys(self.path), seen
        return self._keys


def read_signing_keys(path: Path) -> SigningKeys:
    """Read a key file with its private key.

    Raises:
        AuditKeyError: it holds no private key.
        OSError: it cannot be read.

    """
    private, public = _read(path)
    if private is None:
        raise AuditKeyError(
            f"{path} holds no private Ed25519 key in PEM; restore it from a copy, or move it away, "
            "and the next writer makes a new key"
        )
    return SigningKeys(private, public)


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """Read the public keys of a file, which may be a key file with its private key.

    Raises:
        AuditKeyError: it cannot be read, or holds no key.

    """
    try:
        private, public = _read(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AuditKeyError(f"cannot read the audit key {path}: {reason}") from None

    keys = (*([PublicKey(private.public_key())] if private else []), *public)
    if not keys:
        raise AuditKeyError(
            f"{path} holds no Ed25519 key in PEM; `clawback audit key` prints the public ones"
        )
    return keys


def _read(path: Path) -> tuple[Ed25519PrivateKey | None, list[PublicKey]]:
    private: Ed25519PrivateKey | None = None
    public: list[PublicKey] = []
    for block in _PEM.finditer(path.read_bytes()):
        try:
            if b"PRIVATE" in block[1]:
                key = serialization.load_pem_private_key(block[0], None)
                private = key if isinstance(key, Ed25519PrivateKey) else private
            else:
                other = serialization.load_pem_public_key(block[0])
                public += [PublicKey(other)] if isinstance(other, Ed25519PublicKey) else []
        except (ValueError, TypeError):
            raise AuditKeyError(f"{path} holds a damaged key; restore it from a copy") from None
    return private, public


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
