"""How far the budgets of all rules together are used, for people."""

from collections.abc import Iterator
from datetime import datetime

from clawback.guard.payloads import GuardSnapshot
from clawback.guard.spending import Spending
from clawback.model.level import Level

_NEARLY = 0.8


def nearly_used_shares(snapshot: GuardSnapshot, now: datetime) -> Iterator[str]:
    """Describe each share of which at least four fifths are used; by the last known budgets."""
    spending, shares = Spending(snapshot.counters), snapshot.budgets.shares
    for limit in snapshot.budgets.overall:
        spent = spending.by_level(limit.kind, limit.per, now)
        for level in Level:
            # Levels for which nothing above is kept have one share with those above.
            if level is not Level.CRITICAL and not shares.own(level.and_above[1], limit.most):
                continue
            share = shares.most_up_to(level, limit.most)
            used = sum(spent.get(one, 0) for one in level.and_below)
            if used >= _NEARLY * share:
                yield f"{used:,} of the {limit.with_most(share)} for rules up to {level}"

        used = spending.spent(f"protected/{limit.kind}", limit.per, now)
        if (kept := shares.reserve(limit.most)) and used >= _NEARLY * kept:
            yield f"{used:,} of the {limit.with_most(kept)} for protected people"
