"""The keys of a process as they are now: a key file is read again when it changes.

A rotation needs no restart then. A key that a payload names and the ring lacks is looked for in the
file at once; otherwise the file is looked at once a second, when a payload is sealed or opened.
"""

import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clawback.identity.order_signing import OrderKeys, derive_signing_key
from clawback.secret_files import SecretName, SecretUnreadable, WatchedFile
from clawback.temporal.key_ring import KeyRing, PayloadKeyError, parse_keys, read_key_file

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file: a `stat` for each payload would cost a fifth of it."""
_LOOK_FOR_ONE: Final = 0.05
INDEX_KEY: Final = b"clawback index key"
"""Separates the key of the index from every other use of the same secret."""


class LiveKeys:
    """What is derived from the keys of a ring, or of a file of them.

    `order_keys` is one object for the life of a process, and always has the keys of now.
    """

    def __init__(
        self, keys: KeyRing | WatchedFile[KeyRing], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = None if isinstance(keys, KeyRing) else keys
        self._now = now
        self._looked_at = now()
        self.order_keys = OrderKeys({})
        self._use(keys if isinstance(keys, KeyRing) else _read(keys))

    @property
    def ring(self) -> KeyRing:
        """The ring of now."""
        self.look()
        return self._ring

    @property
    def current(self) -> tuple[bytes, AESGCM]:
        """The id and the cipher of the key that encrypts now."""
        self.look()
        return self._current, self._ciphers[self._current]

    def cipher(self, key_id: bytes) -> AESGCM | None:
        """Return the cipher of a key; None if the keys of now have none of that id."""
        self.look()
        if key_id not in self._ciphers:
            # Bounded too: whoever reaches the server can name any key.
            self.look(every=_LOOK_FOR_ONE)
        return self._ciphers.get(key_id)

    @property
    def index_keys(self) -> tuple[bytes, ...]:
        """The keys of the hashes in the index, that of the current key first."""
        self.look()
        return self._index_keys

    def look(self, *, every: float = LOOK_EVERY) -> None:
        """Take the keys of the file, if they are others and nobody looked for so many seconds."""
        if self._file is None or (now := self._now()) - self._looked_at < every:
            return
        self._looked_at = now
        if (ring := _read(self._file)) is not self._ring:
            self._use(ring)

    def _use(self, ring: KeyRing) -> None:
        self._ring = ring
        self._current = ring.current.id.encode()
        self._ciphers = {key.id.encode(): AESGCM(key.secret) for key in ring}
        self._index_keys = tuple(hmac.digest(key.secret, INDEX_KEY, "sha256") for key in ring)
        self.order_keys.replace({key.id: derive_signing_key(key.secret) for key in ring})


def watch_key_file(path: Path) -> WatchedFile[KeyRing]:
    """Watch a file of keys.

    Raises:
        PayloadKeyError: it cannot be read, a line is no key, or it holds none.

    """
    read_key_file(path)
    return WatchedFile(SecretName.ENCRYPTION_KEYS, path, lambda text: parse_keys(text, path))


def _read(file: WatchedFile[KeyRing]) -> KeyRing:
    try:
        return file.read()
    except SecretUnreadable:
        raise PayloadKeyError(f"cannot read the key file {file.path}: {file.trouble}") from None
