"""Claims: who wants an entry of a policy list to stand, and until when.

Several cases may want the same entry, and people may extend it. It stands until the latest end that
anybody wanted, and goes when no claim is left. Pure.
"""

from datetime import UTC, datetime
from typing import Final

from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""The end of a claim without one. It is later than all others, so the entry stands for ever."""
MOST_CLAIMS: Final = 50
"""Claims that are kept one by one; of more, those that end first are kept as one number."""


class Claim(Payload):
    """What one case or person wants.

    `owner` is the mark of the case, or says which person; `by` is the name of that person.
    """

    owner: str
    expires_at: UtcDatetime
    rule: str = ""
    case: str = ""
    by: str = ""

    @property
    def label(self) -> str:
        """Whose claim it is: a rule or a person."""
        return self.by or self.rule


class Claims(Payload):
    """All claims on one entry, each owner once, the latest end first.

    `others` counts claims that there was no room for; they end by `others_end`.
    """

    kept: tuple[Claim, ...] = ()
    others: int = 0
    others_end: UtcDatetime | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.kept) + self.others

    @property
    def end(self) -> UtcDatetime | None:
        """The latest end; None if there is no claim."""
        ends = [claim.expires_at for claim in self.kept]
        return max([*ends, *([self.others_end] if self.others_end else [])], default=None)

    def has(self, owner: str) -> bool:
        """Whether an owner has a claim that is kept."""
        return any(claim.owner == owner for claim in self.kept)

    def plus(self, claim: Claim) -> "Claims":
        """Add a claim, in place of an earlier one of its owner that ends sooner."""
        same = [one for one in self.kept if one.owner == claim.owner]
        latest = max([*same, claim], key=lambda one: one.expires_at)
        kept = [*(one for one in self.kept if one.owner != claim.owner), latest]
        kept.sort(key=lambda one: one.expires_at, reverse=True)

        rest = kept[MOST_CLAIMS:]
        ends = [one.expires_at for one in rest] + ([self.others_end] if self.others_end else [])
        return Claims(
            kept=tuple(kept[:MOST_CLAIMS]),
            others=self.others + len(rest),
            others_end=max(ends, default=None),
        )

    def without(self, owner: str) -> "Claims":
        """Remove the claim of an owner."""
        kept = tuple(claim for claim in self.kept if claim.owner != owner)
        return self.model_copy(update={"kept": kept})

    def at(self, now: UtcDatetime) -> "Claims":
        """Leave out what has ended."""
        has_others = self.others_end is not None and self.others_end > now
        return Claims(
            kept=tuple(claim for claim in self.kept if claim.expires_at > now),
            others=self.others if has_others else 0,
            others_end=self.others_end if has_others else None,
        )


class Withdrawal(Payload):
    """What the withdrawal of a claim came to: whether there was one, and how many are left."""

    was_claimed: bool
    left: int
