"""Signs orders with the keys of the installation, and verifies them.

A signature is an HMAC-SHA256 under a key that is derived from a key of the ring. It proves that
somebody who holds the ring made the order; who that may be, ADR 40 says.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clawback.model.orders import Order, SignedOrder

_LABEL: Final = b"clawback order key"
"""Separates these keys from every other use of the same secret."""
_KEY_BYTES: Final = 32


def derive_signing_key(secret: bytes) -> bytes:
    """Derive the key that signs orders from a key of the ring."""
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_LABEL).derive(secret)


class OrderKeys:
    """The keys that sign, by the id of the key that each is derived from; the first one signs.

    Without keys, orders are not signed, and anybody can make one.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)

    def replace(self, keys: Mapping[str, bytes]) -> None:
        """Use other keys from now on."""
        self._keys = dict(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def sign(self, order: Order) -> SignedOrder:
        """Sign an order with the current key."""
        text = order.model_dump_json()
        for key, secret in self._keys.items():
            return SignedOrder(text=text, key=key, signature=_sign(text, secret))
        return SignedOrder(text=text)

    def problem(self, signed: SignedOrder) -> str | None:
        """Why a signature is not ours; None if it is, or if there is no key to sign with."""
        if not self._keys:
            return None
        if not signed.signature:
            return "the order is not signed: set the encryption key of the workers"
        if (secret := self._keys.get(signed.key)) is None:
            return f"the order is signed with the key {signed.key!r}, which the workers do not have"
        if not hmac.compare_digest(_sign(signed.text, secret), signed.signature):
            return "the signature of the order is wrong"
        return None


def _sign(text: str, secret: bytes) -> str:
    digest = hmac.digest(secret, text.encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).decode()
