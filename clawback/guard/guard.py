"""The guard as a pure state machine: it grants reservations one after the other.

So no two of them can get the same last unit of a budget.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from clawback.actions import BudgetKind
from clawback.cases.hold_cause import HoldCause
from clawback.guard.budget_check import BudgetCheck
from clawback.guard.campaigns import Campaigns
from clawback.guard.payloads import (
    MOST_DEMOTED,
    Budgets,
    Demotion,
    Grant,
    GuardSnapshot,
    Loss,
    Past,
    Refund,
    RepeatCount,
    Reservation,
    ReservationResult,
    Stop,
)
from clawback.guard.refusal import Refusal
from clawback.guard.sliding_counter import LONGEST
from clawback.guard.spending import Spending
from clawback.guard.undone import UndoCharge, UndoLedger
from clawback.guard.waiting import MOST_TOLD, Waiting
from clawback.model.orders import OrderLog
from clawback.model.size import PAYLOAD_LIMIT, payload_size

GRANT_MEMORY = timedelta(days=1)
"""How long a grant is remembered: a retry of its activity and its refund come long before."""
MOST_GRANTS = 4_000
REPEAT_MEMORY = timedelta(days=365)
"""How long a pattern must not have been blocked before it counts as new."""
MOST_REPEATS = 5_000
MOST_VOUCHED = 1_000
SNAPSHOT_LIMIT = PAYLOAD_LIMIT * 3 // 4


class Guard:
    """All budgets of one account. Its state is bounded, and `snapshot` gives all of it."""

    def __init__(self, snapshot: GuardSnapshot) -> None:
        self.demoted = dict(snapshot.demoted)
        self.stopped = snapshot.stopped
        self._spending = Spending(snapshot.counters)
        self._grants = dict(snapshot.grants)
        self._repeats = dict(snapshot.repeats)
        self._campaigns = Campaigns(snapshot.campaigns, snapshot.campaigns_forgotten)
        self._refused = snapshot.refused
        self._budgets = snapshot.budgets
        self._waiting = Waiting.of(snapshot.waiting, snapshot.waiting_limits)
        self.binding = snapshot.binding
        self.generation = snapshot.generation
        self.decisions = snapshot.decisions
        self.loss = snapshot.loss
        self._unknown_since = snapshot.unknown_since
        self._vouched = snapshot.vouched
        self.orders = OrderLog(snapshot.orders)
        self._undone = UndoLedger(snapshot.undone, snapshot.undone_forgotten)

    def snapshot(self) -> GuardSnapshot:
        """All the guard knows, for the next run, in at most `SNAPSHOT_LIMIT` bytes.

        What does not fit is forgotten: cases that wait, which then ask by themselves; the oldest
        grants, which then cannot be refunded; and repeats, whose next block is a shorter one.
        """
        self._waiting.forget_limits()
        while payload_size(snapshot := self._snapshot()) > SNAPSHOT_LIMIT:
            if not (
                self._waiting.forget_last()
                or _drop_oldest(self._grants)
                or _drop_oldest(self._repeats)
            ):
                break  # counters are a kilobyte a rule, and are never forgotten
        return snapshot

    def _snapshot(self) -> GuardSnapshot:
        return GuardSnapshot(
            counters=self._spending.counters,
            grants=self._grants,
            repeats=self._repeats,
            campaigns=self._campaigns.counts,
            campaigns_forgotten=self._campaigns.forgotten,
            demoted=self.demoted,
            stopped=self.stopped,
            refused=self._refused,
            budgets=self._budgets,
            waiting=self._waiting.rows,
            waiting_limits=self._waiting.limits,
            binding=self.binding,
            generation=self.generation,
            decisions=self.decisions,
            loss=self.loss,
            unknown_since=self._unknown_since,
            vouched=self._vouched,
            orders=self.orders.counted,
            undone=self._undone.rows,
            undone_forgotten=self._undone.forgotten,
        )

    # ---- spending

    def reserve(
        self, reservation: Reservation, budgets: Budgets, now: datetime
    ) -> ReservationResult:
        """Grant a reservation and charge it, or say why people must approve it first.

        What people have approved is charged and never refused.
        """
        # A retry whose first answer was lost.
        if (known := self._grants.get(reservation.id)) is not None:
            return ReservationResult(granted=True, repeats=known.repeats)

        self._budgets = budgets
        is_reserve = False
        if not reservation.approved:
            refusal, is_reserve = self._find_refusal(reservation, budgets, now)
            if refusal is not None:
                return self._refuse(reservation, refusal, now)

        self._waiting.end(reservation)
        subject, campaign = reservation.subject, reservation.campaign
        decision = None
        if campaign is not None and reservation.budget is BudgetKind.MESSAGES:
            decision = self._campaigns.charge(campaign, reservation.count)
        repeats = self._count_repeat(subject, now) if subject else 0
        grant = Grant(
            rule=reservation.rule,
            level=reservation.level,
            budget=reservation.budget,
            count=reservation.count,
            at=now,
            is_reserve=is_reserve,
            verdicts=reservation.verdicts,
            repeats=repeats,
            decision=decision,
        )
        self._spending.charge(grant, reservation.count)
        self._grants[reservation.id] = grant
        self._forget_grants(now)

        return ReservationResult(granted=True, repeats=repeats, is_reserve=is_reserve)

    def refund(self, refund: Refund) -> None:
        """Return units that were granted and not spent; nothing is refunded twice."""
        grant = self._grants.get(refund.id)
        if grant is None or (count := min(refund.count, grant.count)) <= 0:
            return
        self._spending.charge(grant, -count)
        if refund.campaign is not None and grant.budget is BudgetKind.MESSAGES:
            self._campaigns.refund(refund.campaign, grant.decision, count)
        self._grants[refund.id] = grant.model_copy(update={"count": grant.count - count})

    def spent(self, key: str, per: timedelta, now: datetime) -> int:
        """Units spent in a window; see `Spending` for the keys."""
        return self._spending.spent(key, per, now)

    def count_undo(self, charge: UndoCharge, now: datetime) -> tuple[str, ...]:
        """Count an undo, unless a second person must agree first: then say why."""
        is_known = not self._is_unknown(charge.limits.per, now)
        return self._undone.count(charge, now, is_known=is_known)

    # ---- switches

    def stop(self, stop: Stop) -> None:
        """Turn the kill switch on; the first reason stands."""
        self.stopped = self.stopped or stop
        self.decisions += 1

    def resume(self) -> None:
        """Turn the kill switch off."""
        self.stopped = None
        self.decisions += 1

    @property
    def most_demoted(self) -> tuple[str, ...]:
        """The demoted rules, at most `MOST_DEMOTED` of them."""
        return tuple(sorted(self.demoted)[:MOST_DEMOTED])

    def demote(self, rule: str, demotion: Demotion) -> None:
        """Hold every case of a rule until a person confirms the rule; undone actions add up."""
        before = self.demoted.get(rule)
        undone = demotion.undone + (before.undone if before else 0)
        self.demoted[rule] = demotion.model_copy(update={"undone": undone})
        self.decisions += 1

    def needs_confirmation(self, rule: str, now: datetime) -> bool:
        """Whether a rule must be confirmed: it was demoted, or nobody knows whether it was."""
        is_unknown = self._is_unknown(LONGEST, now) and rule not in self._vouched
        return rule in self.demoted or is_unknown

    def confirm(self, rule: str) -> None:
        """Let a rule act again that was demoted, or that nobody knows about."""
        self.demoted.pop(rule, None)
        if self._unknown_since is not None and rule not in self._vouched:
            self._vouched = (*self._vouched, rule)[-MOST_VOUCHED:]
        self.decisions += 1

    # ---- the guard was lost

    def lose(self, loss: Loss) -> None:
        """Turn the kill switch on and wait for the past; until then nothing may be reserved."""
        self.loss = loss
        self.stop(Stop(by="clawback", at=loss.at, reason=f"the guard was lost: {loss.reason}"))

    def recover(self, past: Past, now: datetime) -> None:
        """Continue from what could be read of the past.

        Where it is not complete, every budget counts as spent for its whole window, and every rule
        as demoted. The kill switch stays on until a person turns it off.
        """
        loss, self.loss = self.loss, None
        known = loss.generation if loss else 0
        if past.snapshot is not None:
            self._take_over(past.snapshot)

        self.generation = max(self.generation, known) + 1
        if not past.is_complete:
            self._unknown_since, self._vouched = now, ()
            self._campaigns.forget(now)

    def _take_over(self, past: GuardSnapshot) -> None:
        # Undo may have demoted rules since the loss; those stay demoted.
        self.demoted = {**past.demoted, **self.demoted}
        self.stopped = past.stopped or self.stopped
        self.binding = self.binding or past.binding
        self.generation = max(self.generation, past.generation)
        # Never behind what a worker remembers of either run, or it would call this one older.
        self.decisions = max(self.decisions, past.decisions) + 1
        self._spending = Spending(past.counters)
        self._grants = dict(past.grants)
        self._repeats = dict(past.repeats)
        self._campaigns = Campaigns(past.campaigns, past.campaigns_forgotten)
        self._refused = past.refused
        self._budgets = past.budgets
        self._waiting = Waiting.of(past.waiting, past.waiting_limits)
        self._unknown_since, self._vouched = past.unknown_since, past.vouched
        self.orders = OrderLog({**past.orders, **self.orders.counted})
        self._undone = UndoLedger(past.undone, past.undone_forgotten)

    # ---- held cases that wait

    def has_waiting(self, now: datetime) -> bool:
        """Whether held cases wait for room in a budget, and for no person."""
        return any(not self.needs_confirmation(rule, now) for rule in self._waiting.rules)

    def take_due(self, now: datetime) -> tuple[str, ...]:
        """Take the cases that should ask again now, at most `MOST_TOLD`, in their order.

        None while containment is stopped. Nothing is charged until they ask.
        """
        if self.stopped is not None or self.loss is not None:
            return ()
        expected = Spending(self._spending.counters)
        check = BudgetCheck(expected, self._budgets, self._unknown_since, now)

        def must_confirm(rule: str) -> bool:
            return self.needs_confirmation(rule, now)

        due = self._waiting.take_due(expected, check, must_confirm, now)
        return tuple(islice(due, MOST_TOLD))

    def _refuse(
        self, reservation: Reservation, refusal: Refusal, now: datetime
    ) -> ReservationResult:
        self._refused += 1
        again = None
        if refusal.passes and reservation.case:
            is_unconfirmed = refusal.cause is HoldCause.DEMOTED
            again = self._waiting.add(reservation, now, is_unconfirmed=is_unconfirmed)
        else:
            self._waiting.remove(reservation.case)
        return ReservationResult(
            granted=False, reason=refusal.reason, cause=refusal.cause, again=again
        )

    # ---- why a reservation is refused

    def _find_refusal(
        self, reservation: Reservation, budgets: Budgets, now: datetime
    ) -> tuple[Refusal | None, bool]:
        """Find the first reason to refuse; the second value says to use the reserve instead."""
        check = BudgetCheck(self._spending, budgets, self._unknown_since, now)
        return check.decide(reservation, self._other_refusals(reservation, budgets, now))

    def _other_refusals(
        self, reservation: Reservation, budgets: Budgets, now: datetime
    ) -> Iterator[Refusal]:
        rule = reservation.rule
        if (demotion := self.demoted.get(rule)) is not None:
            reason = f"the rule's work was undone by {demotion.actor.label}"
            yield Refusal(HoldCause.DEMOTED, f"{reason}: {_confirm(rule)}")
        elif self.needs_confirmation(rule, now):
            reason = "the guard was lost, and whether the rule's work was undone is not known"
            yield Refusal(HoldCause.DEMOTED, f"{reason}: {_confirm(rule)}")

        if reservation.budget is BudgetKind.MESSAGES and budgets.campaign is not None:
            yield from self._exceeded_of_campaign(reservation, budgets.campaign)

    def _exceeded_of_campaign(self, reservation: Reservation, most: int) -> Iterator[Refusal]:
        campaign, count = reservation.campaign, reservation.count
        spent = reservation.spent if campaign is None else self._campaigns.spent(campaign)
        if spent is None:
            reason = f"what the campaign has spent of {most:,} messages is not known any more"
            yield Refusal(HoldCause.CAMPAIGN, reason)
        elif spent + count > most:
            reason = f"{count} messages would exceed {most:,} of one campaign ({spent:,} so far)"
            yield Refusal(HoldCause.CAMPAIGN, reason)

    def _is_unknown(self, per: timedelta, now: datetime) -> bool:
        """Whether a window reaches back to before a past that could not be read."""
        return self._unknown_since is not None and now - per < self._unknown_since

    # ---- bookkeeping

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


def _confirm(rule: str) -> str:
    return f"confirm it with `clawback rules confirm {rule}`"


def _drop_oldest(known: dict[str, Any]) -> bool:
    """Forget a tenth, the oldest first; False if there was nothing."""
    oldest = list(known)[: len(known) // 10 + 1]
    for key in oldest:
        del known[key]
    return bool(oldest)
