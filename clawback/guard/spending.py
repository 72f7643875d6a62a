"""What was spent, in sliding windows: of all rules together, by level, by rule and by verdict."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from clawback.actions import BudgetKind
from clawback.guard.payloads import Grant
from clawback.guard.sliding_counter import SlidingCounter
from clawback.model.level import Level

_NOTHING = SlidingCounter()


class Spending:
    """The counters of the guard, by key.

    Keys: `all/<kind>`; `level/<level>/<kind>` and `protected/<kind>`, which add up to it;
    `rule/<rule>/<kind>`; `verdict/<level>/<verdict>` for messages.
    """

    def __init__(self, counters: Mapping[str, SlidingCounter]) -> None:
        self.counters = dict(counters)
        self._by_level: dict[tuple[BudgetKind, timedelta], tuple[datetime, dict[Level, int]]] = {}

    def counter(self, key: str) -> SlidingCounter:
        """The counter of a key; an empty one if nothing was spent."""
        return self.counters.get(key, _NOTHING)

    def spent(self, key: str, per: timedelta, now: datetime) -> int:
        """What was spent under a key in the window that ends now."""
        return self.counter(key).spent(per, now)

    def by_level(self, kind: BudgetKind, per: timedelta, now: datetime) -> dict[Level, int]:
        """What each level has spent in a window; without what came out of the reserve."""
        # Remembered: a storm asks thousands of times at one moment, and is refused.
        known_at, known = self._by_level.get((kind, per), (None, {}))
        if known_at == now:
            return known
        found = ((level, self.counters.get(f"level/{level}/{kind}")) for level in Level)
        spent = {level: one.spent(per, now) for level, one in found if one is not None}
        self._by_level[kind, per] = now, spent
        return spent

    def charge(self, grant: Grant, count: int) -> None:
        """Count units of a grant where they belong; negative ones are given back."""
        kind = grant.budget
        share = f"protected/{kind}" if grant.is_reserve else f"level/{grant.level}/{kind}"
        charges = {f"all/{kind}": count, share: count, f"rule/{grant.rule}/{kind}": count}
        if kind is BudgetKind.MESSAGES:
            # A refund does not say which messages were spared: each verdict gets its share back.
            part = count / grant.count if grant.count else 0
            charges |= {
                f"verdict/{grant.level}/{verdict}": round(number * part)
                for verdict, number in grant.verdicts.items()
            }

        self._by_level.clear()
        for key, units in charges.items():
            self.counters[key] = self.counter(key).with_spent(units, grant.at)
