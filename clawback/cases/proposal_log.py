"""The last proposals of a case, so that it can say exactly what changed since one was shown.

A case never forgets a message and keeps their order, so a proposal is a set of positions for each
of its actions: a hundred bytes, and not the ids of a thousand messages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from clawback.model.payload import Payload
from clawback.model.size import payload_size
from clawback.model.times import UtcDatetime

MOST_PROPOSALS: Final = 20
MOST_BYTES: Final = 16 * 1024
"""Bytes of all of them, as the state of the case has them."""
_BITMAP: Final = "x"


class PastProposal(Payload):
    """A proposal by its digest, when the case made it last, and its messages by their positions.

    `steps` has the position of each action in the plan, and which of its messages it named.
    """

    digest: str
    at: UtcDatetime
    steps: tuple[tuple[int, str], ...] = ()


class ProposalLog:
    """The proposals of one case, the one made last at the end."""

    def __init__(self, proposals: Iterable[PastProposal] = ()) -> None:
        self._proposals = {one.digest: one for one in proposals}

    @property
    def proposals(self) -> tuple[PastProposal, ...]:
        """All that are remembered, oldest first."""
        return tuple(self._proposals.values())

    def add(self, digest: str, steps: Mapping[int, Sequence[int]], now: datetime) -> None:
        """Remember a proposal, by the positions of its messages; forget the oldest beyond limits.

        One that is made again is remembered as of now.
        """
        last = next(reversed(self._proposals), None)
        if last == digest:
            return
        self._proposals.pop(digest, None)
        encoded = tuple((index, encode_positions(some)) for index, some in steps.items())
        self._proposals[digest] = PastProposal(digest=digest, at=now, steps=encoded)
        while self._is_too_large():
            del self._proposals[next(iter(self._proposals))]

    def find(self, digest: str) -> PastProposal | None:
        """Return the proposal of a digest, if it is remembered."""
        return self._proposals.get(digest)

    def _is_too_large(self) -> bool:
        if len(self._proposals) > MOST_PROPOSALS:
            return True
        return len(self._proposals) > 1 and payload_size(self.proposals) > MOST_BYTES


def encode_positions(positions: Sequence[int]) -> str:
    """Write rising positions as ranges (`0-41,43`), or as a bitmap in hex where that is shorter."""
    ranges = ",".join(_ranges(positions))
    bitmap = f"{_BITMAP}{sum(1 << position for position in positions):x}"
    return min(ranges, bitmap, key=len)


def decode_positions(text: str) -> list[int]:
    """Read what `encode_positions` wrote."""
    if text.startswith(_BITMAP):
        bits = int(text[1:], 16)
        return [position for position in range(bits.bit_length()) if bits >> position & 1]
    positions: list[int] = []
    for one in filter(None, text.split(",")):
        first, _, last = one.partition("-")
        positions += range(int(first), int(last or first) + 1)
    return positions


def _ranges(positions: Sequence[int]) -> Iterator[str]:
    begin = 0
    for number, position in enumerate(positions, start=1):
        if number == len(positions) or positions[number] != position + 1:
            first = positions[begin]
            yield f"{first}" if first == position else f"{first}-{position}"
            begin = number
