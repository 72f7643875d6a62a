"""How the budgets of all rules together are shared: what is kept for levels and for people."""

from collections.abc import Mapping

from pydantic import Field

from clawback.model.level import Level
from clawback.model.payload import Payload


class Shares(Payload):
    """Percent of each budget of all rules together that is kept, by level and for people.

    What is kept for a level may be used by that level and those above it. What is kept for
    protected people may only be used for mail to them, at any level.
    """

    levels: dict[Level, int] = Field(default_factory=dict)
    protected: int = 0

    def reserve(self, most: int) -> int:
        """What is kept of a budget for mail to protected people, rounded down."""
        return most * self.protected // 100

    def own(self, level: Level, most: int) -> int:
        """What is kept of a budget for one level, rounded down."""
        return most * self.levels.get(level, 0) // 100

    def most_up_to(self, level: Level, most: int) -> int:
        """What a level and those below it may spend together: what nothing above it keeps."""
        above = level.and_above[1:]
        return most - self.reserve(most) - sum(self.own(one, most) for one in above)

    def find_exceeded(
        self, level: Level, count: int, most: int, spent: Mapping[Level, int]
    ) -> tuple[Level, int, int] | None:
        """Find the share that a level would exceed with `count` more; None if it fits.

        Returns the level up to which the share reaches, what that share is, and what is spent of
        it. What is kept for a level it may always use: people can approve more than a budget has,
        and that must not take from what comes later.
        """
        if spent.get(level, 0) + count <= self.own(level, most):
            return None

        used = sum(spent.get(one, 0) for one in level.and_below[:-1])
        for upper in level.and_above:
            used += spent.get(upper, 0)
            share = self.most_up_to(upper, most)
            if used + count > share:
                return upper, share, used
        return None
