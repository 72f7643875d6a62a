"""How much a case holds: the rest of a campaign goes on in further parts (ADR 25)."""

from typing import Final

from clawback.actions import Scope
from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan
from clawback.model.size import payload_size

STATE_LIMIT: Final = 512 * 1024
"""Bytes that the matches of one part may come to take, whatever becomes of them."""
_PER_ENTRY = 64
"""Bytes of the times, outcomes and punctuation that go with an id, at most."""


class Room:
    """The room for matches in one part. Once a match did not fit, none fits any more.

    `limit` is its size in bytes, by default `STATE_LIMIT`; `more` comes on top.
    """

    def __init__(
        self,
        plan: CasePlan,
        used: int = 0,
        *,
        is_full: bool = False,
        limit: int | None = None,
        more: int = 0,
    ) -> None:
        self.used = used
        self.is_full = is_full
        self._limit = (STATE_LIMIT if limit is None else limit) + more
        self._actions = sum(action.scope is Scope.MESSAGE for action in plan.all_actions)

    def take(self, match: MatchSize) -> bool:
        """Take the room of a match; False if there is not enough. An empty part takes any."""
        cost = self._cost(match)
        if self.used and self.used + cost > self._limit:
            self.is_full = True
        if not self.is_full:
            self.used += cost
        return not self.is_full

    def _cost(self, match: MatchSize) -> int:
        """The most that a match can add to the snapshot of its case, in bytes."""
        # Of each message: its key, when it was seen, its condition, whether it was handled; then
        # its outcome and its effect.
        entries = (4 + 2 * self._actions) * (match.id_bytes + match.messages * _PER_ENTRY)
        # Each message is once in the case and once in the step that is in progress.
        messages = match.message_bytes + match.request_bytes
        return payload_size(match.key) + _PER_ENTRY + messages + entries
