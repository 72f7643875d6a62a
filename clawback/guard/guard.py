"""The guard as a pure ledger.

Asks go in one after the other, so no two of them can have the same last unit.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from clawback.actions import BudgetKind
from clawback.cases.plan import Limit
from clawback.guard.payloads import (
    Budgets,
    Demotion,
    Grant,
    GuardSnapshot,
    Refund,
    RepeatCount,
    Reservation,
    ReservationResult,
    Stop,
    Surge,
)
from clawback.guard.sliding_counter import SlidingCounter
from clawback.model.durations import format_duration

REMEMBERED = timedelta(days=1)
"""How long a grant is remembered.

An activity that asks again, and the outcome of an act, come long before that.
"""
MOST_GRANTS = 10_000
FORGIVEN = timedelta(days=365)
"""How long a pattern must not have been blocked before it counts as new."""
MOST_REPEATS = 10_000


class Guard:
    """All budgets of one account. What it remembers is bounded; `memory()` is all of it."""

    def __init__(self, memory: GuardSnapshot) -> None:
        self._tallies = dict(memory.tallies)
        self._grants = dict(memory.grants)
        self._repeats = dict(memory.repeats)
        self.demoted = dict(memory.demoted)
        self.stopped = memory.stopped
        self._refused = memory.refused

    def memory(self) -> GuardSnapshot:
        """All it knows."""
        return GuardSnapshot(
            tallies=self._tallies,
            grants=self._grants,
            repeats=self._repeats,
            demoted=self.demoted,
            stopped=self.stopped,
            refused=self._refused,
        )

    # ---- spending

    def reserve(self, ask: Reservation, budgets: Budgets, now: datetime) -> ReservationResult:
        """Grant an ask and charge it, or say why people must agree first.

        What people agreed to is charged, and never refused.
        """
        if (known := self._grants.get(ask.id)) is not None:
            return ReservationResult(granted=True, repeats=known.repeats)
        if (
            not ask.approved
            and (reason := next(self._objections(ask, budgets, now), None)) is not None
        ):
            self._refused += 1
            return ReservationResult(granted=False, reason=reason)
        repeats = self._count_repeat(ask.subject, now) if ask.subject else 0
        grant = Grant(
            rule=ask.rule,
            budget=ask.budget,
            count=ask.count,
            at=now,
            verdicts=ask.verdicts,
            repeats=repeats,
        )
        self._charge(grant, ask.count)
        self._grants[ask.id] = grant
        self._forget(now)
        return ReservationResult(granted=True, repeats=repeats)

    def refund(self, refund: Refund) -> None:
        """Take back what was granted and not spent.

        An unknown id is none of ours; nothing is refunded twice.
        """
        grant = self._grants.get(refund.id)
        if grant is None or (count := min(refund.count, grant.count)) <= 0:
            return
        self._charge(grant, -count)
        self._grants[refund.id] = grant.model_copy(update={"count": grant.count - count})

    def spent(self, key: str, per: timedelta, now: datetime) -> int:
        """What was spent under a key (`all/messages`, `rule/<name>/messages`, `verdict/<verdict>`) in a window."""
        return self._tallies.get(key, SlidingCounter()).spent(per, now)

    # ---- switches

    def stop(self, stop: Stop) -> None:
        """Note that nothing may be done; the first reason stands."""
        self.stopped = self.stopped or stop

    def resume(self) -> None:
        """Note that containment may act again."""
        self.stopped = None

    def demote(self, rule: str, demotion: Demotion) -> None:
        """Hold every case of a rule until it is confirmed; repeated undos add up."""
        before = self.demoted.get(rule)
        undone = demotion.undone + (before.undone if before else 0)
        self.demoted[rule] = demotion.model_copy(update={"undone": undone})

    def confirm(self, rule: str) -> bool:
        """Let a demoted rule act again; False if it was not demoted."""
        return self.demoted.pop(rule, None) is not None

    # ---- inside

    def _objections(self, ask: Reservation, budgets: Budgets, now: datetime) -> Iterator[str]:
        if (demotion := self.demoted.get(ask.rule)) is not None:
            yield f"the rule's work was undone by {demotion.by}: confirm it with `clawback rules confirm {ask.rule}`"
        if (
            budgets.campaign is not None
            and ask.budget is BudgetKind.MESSAGES
            and ask.spent + ask.count > budgets.campaign
        ):
            yield f"{ask.count} messages would pass {budgets.campaign:,} of one campaign ({ask.spent:,} so far)"
        own = [limit for limit in ask.limits if limit.kind is ask.budget] or [
            limit for limit in budgets.rule if limit.kind is ask.budget
        ]
        yield from self._exceeded(ask, own, f"rule/{ask.rule}/{ask.budget}", "of the rule", now)
        yield from self._exceeded(
            ask, budgets.overall, f"all/{ask.budget}", "of all rules together", now
        )
        if budgets.surge is not None and ask.budget is BudgetKind.MESSAGES:
            yield from self._surges(ask, budgets.surge, now)

    def _exceeded(
        self, ask: Reservation, limits: Iterable[Limit], key: str, whose: str, now: datetime
    ) -> Iterator[str]:
        for limit in limits:
            if (
                limit.kind is ask.budget
                and (spent := self.spent(key, limit.per, now)) + ask.count > limit.most
            ):
                yield f"{ask.count} {ask.budget} would pass {limit} {whose} ({spent:,} so far)"

    def _surges(self, ask: Reservation, surge: Surge, now: datetime) -> Iterator[str]:
        scopes = {f"rule/{ask.rule}/{ask.budget}": (ask.rule, ask.count)}
        scopes |= {
            f"verdict/{verdict}": (verdict, count) for verdict, count in ask.verdicts.items()
        }
        for key, (who, count) in scopes.items():
            tally = self._tallies.get(key, SlidingCounter())
            usual, spent = tally.rate(now), tally.spent(surge.per, now)
            if spent + count > max(surge.least, surge.factor * usual):
                yield (
                    f"{who} hits far more than usual: {spent + count:,} messages in {format_duration(surge.per)}, "
                    f"{usual:.1f} an hour before, at most {surge.least:,} or {surge.factor:g} times the usual"
                )

    def _charge(self, grant: Grant, count: int) -> None:
        keys = {f"all/{grant.budget}": count, f"rule/{grant.rule}/{grant.budget}": count}
        if grant.budget is BudgetKind.MESSAGES:
            share = count / grant.count if grant.count else 0
            keys |= {
                f"verdict/{verdict}": round(number * share)
                for verdict, number in grant.verdicts.items()
            }
        for key, spent in keys.items():
            self._tallies[key] = self._tallies.get(key, SlidingCounter()).with_spent(
                spent, grant.at
            )

    def _count_repeat(self, subject: str, now: datetime) -> int:
        before = self._repeats.pop(subject, None)
        times = before.times if before and now - before.at < FORGIVEN else 0
        self._repeats[subject] = RepeatCount(times=times + 1, at=now)
        while len(self._repeats) > MOST_REPEATS:
            del self._repeats[next(iter(self._repeats))]
        return times

    def _forget(self, now: datetime) -> None:
        while self._grants:
            oldest = next(iter(self._grants))
            if len(self._grants) <= MOST_GRANTS and now - self._grants[oldest].at < REMEMBERED:
                return
            del self._grants[oldest]
