"""One part of a campaign among the others: its room, and what goes on to further parts."""

from collections.abc import Container, Iterable
from typing import Any, Final

from clawback.cases.part_index import PartIndex, SavedIndex, has_index
from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan, Match
from clawback.cases.room import Room
from clawback.cases.state import CaseSnapshot, CaseState, KnownMatches
from clawback.model.size import split_by_size

_TOLERANCE: Final = 64 * 1024
"""Bytes that a part takes beyond what its index counts: a match may be sent to it by accident."""
_ENDED = frozenset({CaseState.CLOSED, CaseState.DENIED, CaseState.EXPIRED, CaseState.UNDONE})
"""States of a part for which the first part need not stay open."""


class CampaignParts:
    """The parts of a campaign, as part `number` of them sees it; `campaign` identifies it.

    `states` are those of all parts that the first one knows of, `overflow` the matches that are to
    be sent on, by part.
    """

    def __init__(
        self,
        plan: CasePlan,
        number: int,
        campaign: str,
        snapshot: CaseSnapshot,
        limit: int | None = None,
    ) -> None:
        self.states = dict(snapshot.parts)
        self.overflow: dict[int, list[Match]] = {}
        self._number = number
        self._index = None
        if has_index(number):
            self._index = PartIndex(plan, number, campaign, snapshot.index, limit)
        self._room = Room(
            plan,
            snapshot.room_used,
            is_full=snapshot.is_full,
            limit=limit,
            more=0 if has_index(number) else _TOLERANCE,
        )

    @property
    def is_full(self) -> bool:
        """Whether matches went on to other parts."""
        return self._room.is_full

    @property
    def are_open(self) -> bool:
        """Whether another part has not ended."""
        return any(state not in _ENDED for state in self.states.values())

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot; the index is empty if this part has none."""
        return {
            "room_used": self._room.used,
            "is_full": self.is_full,
            "parts": self.states,
            "index": SavedIndex() if self._index is None else self._index.saved(),
        }

    def has_room(self, match: Match) -> bool:
        """Take the room of a match; False if this part has none for it."""
        return not self.is_full and self._room.take(MatchSize.of(match))

    def pass_on(self, match: Match) -> None:
        """Note that a match goes on to another part."""
        self.overflow.setdefault(self.place(MatchSize.of(match)), []).append(match)

    def place(self, match: MatchSize) -> int:
        """Return the part that has a match which this one does not have, or that takes it."""
        # Without an index a part is full only by accident, for instance if its case was terminated
        # and the next one fills the same parts.
        return self._number + 1 if self._index is None else self._index.place(match)

    def place_all(
        self, matches: Iterable[MatchSize], own: Container[str]
    ) -> dict[int, tuple[str, ...]]:
        """Return the keys of matches by the part that has or takes them; this part has `own`."""
        parts: dict[int, list[str]] = {}
        for match in matches:
            part = self._number if match.key in own else self.place(match)
            parts.setdefault(part, []).append(match.key)
        return {part: tuple(keys) for part, keys in parts.items()}

    def find_all(self, keys: Iterable[str], own: Container[str]) -> KnownMatches:
        """Say which matches are among `own`, and which parts may have the others."""
        known: list[str] = []
        others: dict[int, list[str]] = {}
        for key in keys:
            if key in own:
                known.append(key)
            elif (part := self._find(key)) is not None:
                others.setdefault(part, []).append(key)
        return KnownMatches(
            keys=tuple(known), others={part: tuple(some) for part, some in others.items()}
        )

    def take_overflow(self, part: int) -> tuple[Match, ...]:
        """Hand over matches that go on to another part, as many as fit into one payload."""
        batch: tuple[Match, ...] = next(split_by_size(self.overflow.get(part, ())), ())
        rest = self.overflow.get(part, [])[len(batch) :]
        if rest:
            self.overflow[part] = rest
        else:
            self.overflow.pop(part, None)
        return batch

    def _find(self, key: str) -> int | None:
        if self._index is not None:
            return self._index.find(key)
        return self._number + 1 if self.is_full else None
