"""Keyed hashes of what a case touches, by which the server's index finds it.

Search attributes are not encrypted, so no address and no id may stand in one. A hash under a key
finds what somebody knows and reveals nothing to somebody who does not have the key.
"""

import base64
import hmac
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from clawback.model.messages import Target
from clawback.model.notations import canonical_address

MOST_VALUES: Final = 160
"""Values of one case. A search attribute takes 2,048 bytes, and each value takes eleven."""
_HASH_BYTES: Final = 6
"""48 bits: with a million hashes, one look-up in 280 million finds a case too many."""


class TouchedKind(StrEnum):
    """What a hash is of; the same text under another kind has another hash."""

    SENDER = "sender"
    MAILBOX = "mailbox"
    MESSAGE = "message"

    def fold(self, value: str) -> str:
        """Bring a value into the form in which it is compared; addresses have many notations."""
        return value if self is TouchedKind.MESSAGE else canonical_address(value)


class Mark(StrEnum):
    """Values that are no hashes, and cannot be: a hash has eight characters."""

    ACTED = "acted"
    """The case changed something that undo could take back."""
    TRUNCATED = "truncated"
    """The case touches more than the index holds: whoever searches must look into it."""


def touch_hash(key: bytes, kind: TouchedKind, value: str) -> str:
    """Hash a value to eight characters."""
    text = f"{kind}:{kind.fold(value)}".encode("utf-8", "surrogatepass")
    # Six bytes make eight characters of base64, without padding.
    digest = hmac.digest(key, text, "sha256")[:_HASH_BYTES]
    return base64.urlsafe_b64encode(digest).decode()


def touched_values(target: Target) -> Iterator[tuple[TouchedKind, str]]:
    """Yield what a case touches by a message: both of its ids, its sender, its mailbox."""
    for kind, value in (
        (TouchedKind.MESSAGE, target.id),
        (TouchedKind.MESSAGE, target.message_id),
        (TouchedKind.SENDER, target.sender),
        (TouchedKind.MAILBOX, target.mailbox),
    ):
        if value:
            yield kind, kind.fold(value)


class Touches:
    """The values of one case: hashes in the order in which they appeared, and marks."""

    def __init__(self, key: bytes, values: Iterable[str] = ()) -> None:
        self._key = key
        self._values = dict.fromkeys(values)
        self._hashed: set[str] = set()

    @property
    def values(self) -> tuple[str, ...]:
        """All values; never more than `MOST_VALUES` hashes and the marks."""
        return tuple(self._values)

    @property
    def is_truncated(self) -> bool:
        """Whether something was left out."""
        return Mark.TRUNCATED in self._values

    def mark(self, mark: Mark) -> None:
        """Set a mark."""
        self._values[mark.value] = None

    def add(self, targets: Iterable[Target]) -> None:
        """Add the sender, the mailbox and both ids of messages, as long as there is room."""
        for target in targets:
            # A search must look into this case in any event.
            if self.is_truncated:
                return
            if target.id not in self._hashed:
                self._hashed.add(target.id)
                self._add(target)

    def _add(self, target: Target) -> None:
        hashes = (touch_hash(self._key, kind, value) for kind, value in touched_values(target))
        new = [one for one in hashes if one not in self._values]
        if len(self._values) + len(new) > MOST_VALUES:
            self.mark(Mark.TRUNCATED)
        else:
            self._values |= dict.fromkeys(new)
