"""Seals what a browser keeps for the console: encrypted, authenticated, and for one purpose.

The keys derive from the key ring of the installation, so that every replica opens what another one
sealed, and a rotation of the ring ends no session.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clawback.temporal.key_ring import KeyRing

MAX_SEALED: Final = 3_800
"""Bytes of a sealed value; browsers refuse cookies over 4,096 with name and attributes."""
_LABEL: Final = b"clawback console "
"""Separates these keys from every other use of the same secret."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class TooLargeToSeal(ValueError):
    """A value does not fit into a cookie."""


def console_secrets(keys: KeyRing | None) -> tuple[bytes, ...]:
    """Return the secrets of a key ring, the current one first.

    Without a ring there is a random one: sessions end with the process, and no replica shares them.
    """
    if keys is None:
        return (os.urandom(_KEY_BYTES),)
    return tuple(key.secret for key in keys)


class Sealer:
    """Seals with the first key of an installation; opens with all of them.

    What was sealed for one purpose opens for no other.
    """

    def __init__(self, purpose: str, secrets: Sequence[bytes]) -> None:
        self._purpose = purpose.encode()
        self._ciphers = [AESGCM(self._derive(secret)) for secret in secrets]

    def seal(self, content: bytes) -> str:
        """Seal a value as the text of a cookie.

        Raises:
            TooLargeToSeal: it does not fit into one.

        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[0].encrypt(nonce, content, self._purpose)
        text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        if len(text) > MAX_SEALED:
            raise TooLargeToSeal(f"{len(text)} bytes do not fit into a cookie of {MAX_SEALED}")
        return text

    def open(self, text: str) -> bytes | None:
        """Open a sealed value; None if it is not ours."""
        if len(text) > MAX_SEALED or not text.isascii():
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            return None

        for cipher in self._ciphers:
            try:
                nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
                return cipher.decrypt(nonce, content, self._purpose)
            except (InvalidTag, ValueError):
                continue
        return None

    def _derive(self, secret: bytes) -> bytes:
        label = _LABEL + self._purpose
        return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=label).derive(secret)
