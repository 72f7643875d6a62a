"""Which part of a large campaign has which of its matches (ADR 25).

The parts fill one after another, so what arrives together goes to one part, and old parts are left
alone. The index is what makes a match that comes again find its part: it keeps four bytes of a
hash for each match. By construction the same match always gets the same answer, so two matches with
the same four bytes only share a part.

Every thousandth part, the first one included, has an index. What does not fit into it belongs to
the next of them.
"""

import hashlib
import struct
from base64 import b64decode, b64encode
from collections import Counter
from itertools import chain, repeat
from typing import Final

from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan
from clawback.cases.room import Room
from clawback.model.payload import Payload

PARTS_PER_INDEX: Final = 1000
"""Parts 1, 1,001, 2,001 and so on have an index of the parts up to the next of them."""
MATCHES_PER_INDEX: Final = 48 * 1024
"""They take 256 KiB of a snapshot."""
_BYTES = 4


class SavedIndex(Payload):
    """An index as a snapshot has it.

    `fingerprints` are those of its matches, in base64, in the order of the parts; `sizes` says how
    many each part has, and `room_used` how many bytes the last part has taken.
    """

    fingerprints: str = ""
    sizes: tuple[int, ...] = ()
    room_used: int = 0


class PartIndex:
    """Places the matches for which part `number` of a campaign has no room.

    `salt` must be unpredictable: with it, nobody can choose matches that have the same fingerprint.
    """

    def __init__(
        self,
        plan: CasePlan,
        number: int,
        salt: str,
        saved: SavedIndex,
        limit: int | None = None,
    ) -> None:
        self._plan = plan
        self._number = number
        self._salt = salt.encode()
        self._limit = limit
        self._saved: SavedIndex | None = saved
        self._part_of = _unpack(saved, number + 1)
        self._open = number + max(len(saved.sizes), 1)
        self._room = Room(plan, saved.room_used, limit=limit)

    def place(self, match: MatchSize) -> int:
        """Return the part that has a match, or else the one that takes it."""
        fingerprint = self._fingerprint(match.key)
        if (known := self._part_of.get(fingerprint)) is not None:
            return known
        if not self._find_room(match):
            return self._number + PARTS_PER_INDEX

        self._saved = None
        self._part_of[fingerprint] = self._open
        return self._open

    def find(self, key: str) -> int | None:
        """Return the part that may have a match: the next index if this one takes no more."""
        known = self._part_of.get(self._fingerprint(key))
        return self._number + PARTS_PER_INDEX if known is None and self._is_full else known

    def saved(self) -> SavedIndex:
        """The index for the next run."""
        if self._saved is None:
            numbers = struct.pack(f">{len(self._part_of)}I", *self._part_of)
            # Python keeps the order in which they came, which is that of the parts.
            sizes = Counter(self._part_of.values())
            self._saved = SavedIndex(
                fingerprints=b64encode(numbers).decode(),
                sizes=tuple(sizes.values()),
                room_used=self._room.used,
            )
        return self._saved

    @property
    def _is_full(self) -> bool:
        is_last = self._open + 1 >= self._number + PARTS_PER_INDEX
        return len(self._part_of) >= MATCHES_PER_INDEX or (is_last and self._room.is_full)

    def _find_room(self, match: MatchSize) -> bool:
        """Open another part if the last one has no room; False if this index has none either."""
        if self._is_full:
            return False
        if self._room.take(match):
            return True
        if self._is_full:
            return False

        self._open += 1
        self._room = Room(self._plan, limit=self._limit)
        return self._room.take(match)

    def _fingerprint(self, key: str) -> int:
        text = self._salt + b"\0" + key.encode("utf-8", "replace")
        return int.from_bytes(hashlib.sha256(text).digest()[:_BYTES], "big")


def has_index(part: int) -> bool:
    """Whether a part has an index of those that follow it."""
    return part % PARTS_PER_INDEX == 1


def _unpack(saved: SavedIndex, first: int) -> dict[int, int]:
    data = b64decode(saved.fingerprints)
    numbers = struct.unpack(f">{len(data) // _BYTES}I", data)
    parts = chain.from_iterable(repeat(first + n, size) for n, size in enumerate(saved.sizes))
    return dict(zip(numbers, parts, strict=True))
