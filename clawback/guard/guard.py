"""The guard as a pure state machine: it grants reservations one after the other.

So no two of them can get the same last unit of a budget.
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

GRANT_MEMORY = timedelta(days=1)
"""How long a grant is remembered: a retry of its activity and its refund come long before."""
MOST_GRANTS = 10_000
REPEAT_MEMORY = timedelta(days=365)
"""How long a pattern must not have been blocked before it counts as new."""
MOST_REPEATS = 10_000


class Guard:
    """All budgets of one account. Its state is bounded, and `snapshot` gives all of it."""

    def __init__(self, snapshot: GuardSnapshot) -> None:
        self.demoted = dict(snapshot.demoted)
        self.stopped = snapshot.stopped
        self._counters = dict(snapshot.counters)
        self._grants = dict(snapshot.grants)
        self._repeats = dict(snapshot.repeats)
        self._refused = snapshot.refused

    def snapshot(self) -> GuardSnapshot:
        """All the guard knows, for the next run."""
        return GuardSnapshot(
            counters=self._counters,
            grants=self._grants,
            repeats=self._repeats,
            demoted=self.demoted,
            stopped=self.stopped,
            refused=self._refused,
        )

    # ---- spending

    def reserve(
        self, reservation: Reservation, budgets: Budgets, now: datetime
    ) -> ReservationResult:
        """Grant a reservation and charge it, or say why people must approve it first.

        What people have approved is charged and never refused.
        """
        if (known := self._grants.get(reservation.id)) is not None:
            return ReservationResult(granted=True, repeats=known.repeats)

        reasons = iter(()) if reservation.approved else self._refusals(reservation, budgets, now)
        if (reason := next(reasons, None)) is not None:
            self._refused += 1
            return ReservationResult(granted=False, reason=reason)

        subject = reservation.subject
        repeats = self._count_repeat(subject, now) if subject else 0
        grant = Grant(
            rule=reservation.rule,
            budget=reservation.budget,
            count=reservation.count,
            at=now,
            verdicts=reservation.verdicts,
            repeats=repeats,
        )
        self._charge(grant, reservation.count)
        self._grants[reservation.id] = grant
        self._forget_grants(now)
        return ReservationResult(granted=True, repeats=repeats)

    def refund(self, refund: Refund) -> None:
        """Return units that were granted and not spent; nothing is refunded twice."""
        grant = self._grants.get(refund.id)
        if grant is None or (count := min(refund.count, grant.count)) <= 0:
            return
        self._charge(grant, -count)
        self._grants[refund.id] = grant.model_copy(update={"count": grant.count - count})

    def spent(self, key: str, per: timedelta, now: datetime) -> int:
        """Units spent in a window.

        `key` is `all/<kind>`, `rule/<rule>/<kind>` or `verdict/<verdict>`.
        """
        return self._counters.get(key, SlidingCounter()).spent(per, now)

    # ---- switches

    def stop(self, stop: Stop) -> None:
        """Turn the kill switch on; the first reason stands."""
        self.stopped = self.stopped or stop

    def resume(self) -> None:
        """Turn the kill switch off."""
        self.stopped = None

    def demote(self, rule: str, demotion: Demotion) -> None:
        """Hold every case of a rule until a person confirms the rule; undone actions add up."""
        before = self.demoted.get(rule)
        undone = demotion.undone + (before.undone if before else 0)
        self.demoted[rule] = demotion.model_copy(update={"undone": undone})

    def confirm(self, rule: str) -> bool:
        """Let a demoted rule act again; False if it was not demoted."""
        return self.demoted.pop(rule, None) is not None

    # ---- why a reservation is refused

    def _refusals(self, reservation: Reservation, budgets: Budgets, now: datetime) -> Iterator[str]:
        rule, kind = reservation.rule, reservation.budget
        if (demotion := self.demoted.get(rule)) is not None:
            yield (
                f"the rule's work was undone by {demotion.by}: "
                f"confirm it with `clawback rules confirm {rule}`"
            )

        is_counted = kind is BudgetKind.MESSAGES
        most = budgets.campaign if is_counted else None
        if most is not None and reservation.spent + reservation.count > most:
            yield (
                f"{reservation.count} messages would exceed {most:,} "
                f"of one campaign ({reservation.spent:,} so far)"
            )

        own = [limit for limit in reservation.limits if limit.kind is kind]
        own = own or [limit for limit in budgets.rule if limit.kind is kind]
        yield from self._exceeded(reservation, own, f"rule/{rule}/{kind}", "of the rule", now)
        yield from self._exceeded(
            reservation, budgets.overall, f"all/{kind}", "of all rules together", now
        )
        if budgets.surge is not None and is_counted:
            yield from self._surges(reservation, budgets.surge, now)

    def _exceeded(
        self,
        reservation: Reservation,
        limits: Iterable[Limit],
        key: str,
        whose: str,
        now: datetime,
    ) -> Iterator[str]:
        kind, count = reservation.budget, reservation.count
        for limit in limits:
            if limit.kind is kind:
                spent = self.spent(key, limit.per, now)
                if spent + count > limit.most:
                    yield f"{count} {kind} would exceed {limit} {whose} ({spent:,} so far)"

    def _surges(self, reservation: Reservation, surge: Surge, now: datetime) -> Iterator[str]:
        rule = reservation.rule
        hits = {f"rule/{rule}/{reservation.budget}": (rule, reservation.count)}
        hits |= {
            f"verdict/{verdict}": (verdict, count)
            for verdict, count in reservation.verdicts.items()
        }
        for key, (name, count) in hits.items():
            counter = self._counters.get(key, SlidingCounter())
            usual, total = counter.rate(now), counter.spent(surge.per, now) + count
            if total > max(surge.least, surge.factor * usual):
                yield (
                    f"{name} hits far more than usual: "
                    f"{total:,} messages in {format_duration(surge.per)}, "
                    f"{usual:.1f} an hour before, "
                    f"at most {surge.least:,} or {surge.factor:g} times the usual"
                )

    # ---- bookkeeping

    def _charge(self, grant: Grant, count: int) -> None:
        charges = {f"all/{grant.budget}": count, f"rule/{grant.rule}/{grant.budget}": count}
        if grant.budget is BudgetKind.MESSAGES:
            share = count / grant.count if grant.count else 0
            charges |= {
                f"verdict/{verdict}": round(number * share)
                for verdict, number in grant.verdicts.items()
            }
        for key, units in charges.items():
            counter = self._counters.get(key, SlidingCounter())
            self._counters[key] = counter.with_spent(units, grant.at)

    def _count_repeat(self, subject: str, now: datetime) -> int:
        """Count a subject, and say how often it was counted before."""
        before = self._repeats.pop(subject, None)
        times = before.times if before and now - before.at < REPEAT_MEMORY else 0
        self._repeats[subject] = RepeatCount(times=times + 1, at=now)
        while len(self._repeats) > MOST_REPEATS:
            del self._repeats[next(iter(self._repeats))]  # dicts keep their order: the oldest
        return times

    def _forget_grants(self, now: datetime) -> None:
        while self._grants:
            oldest = next(iter(self._grants))
            is_recent = now - self._grants[oldest].at < GRANT_MEMORY
            if is_recent and len(self._grants) <= MOST_GRANTS:
                return
            del self._grants[oldest]
