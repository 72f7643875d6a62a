"""How much a case holds, and the parts that hold the rest of a campaign (ADR 25).

The parts are a tree: a match that one part does not know and has no room for goes on to one of
its sixteen children, which the hash of the match's key chooses. A full part stays full, so a match
that comes again takes the same way and meets itself: nothing is done twice, and no part knows more
than its own matches.
"""

import hashlib
from typing import Final

from clawback.actions import Scope
from clawback.cases.plan import CasePlan, Match
from clawback.model.size import payload_size

STATE_LIMIT: Final = 512 * 1024
"""Bytes that the matches of one part may come to take, whatever becomes of them."""
FAN_OUT: Final = 16
_PER_ENTRY = 64
"""Bytes of the times, outcomes and punctuation that go with an id, at most."""


def child_of(part: int, key: str) -> int:
    """The part to which a full part sends a match: parts are numbered as in a heap, from 1."""
    depth, first, width = 0, 1, 1
    while part >= first + width:
        depth, first, width = depth + 1, first + width, width * FAN_OUT
    # Each level takes another digit of the hash, so that a child spreads its matches again.
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    return FAN_OUT * (part - 1) + 2 + int(digest[depth % len(digest)], 16) % FAN_OUT


class Room:
    """The room for matches in one part. Once a match did not fit, none fits any more."""

    def __init__(
        self, plan: CasePlan, used: int = 0, *, is_full: bool = False, limit: int | None = None
    ) -> None:
        self.used = used
        self.is_full = is_full
        self._limit = STATE_LIMIT if limit is None else limit
        self._actions = sum(action.scope is Scope.MESSAGE for action in plan.actions)

    def take(self, match: Match) -> bool:
        """Take the room of a match; False if there is not enough. An empty part takes any."""
        cost = self._cost(match)
        if self.used and self.used + cost > self._limit:
            self.is_full = True
        if not self.is_full:
            self.used += cost
        return not self.is_full

    def _cost(self, match: Match) -> int:
        """The most that a match can add to the snapshot of its case, in bytes."""
        cost = payload_size(match.key) + _PER_ENTRY
        for target in match.targets:
            # Once in the case and once in the step that is in progress.
            cost += 2 * payload_size(target)
            # Its key, when it was seen, its condition, whether it was handled; then its outcome and
            # its effect.
            cost += (4 + 2 * self._actions) * (payload_size(target.id) + _PER_ENTRY)

        return cost
