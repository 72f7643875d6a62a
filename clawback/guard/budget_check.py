"""Whether a reservation fits the budgets, and which of them it would exceed."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from clawback.actions import BudgetKind
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import Limit
from clawback.guard.payloads import Budgets, Reservation, Surge
from clawback.guard.refusal import Refusal
from clawback.guard.spending import Spending
from clawback.model.durations import format_duration


class BudgetCheck:
    """The budgets at one moment. `unknown_since` is when a past was lost, if that matters."""

    def __init__(
        self,
        spending: Spending,
        budgets: Budgets,
        unknown_since: datetime | None,
        now: datetime,
    ) -> None:
        self._spending = spending
        self._budgets = budgets
        self._unknown_since = unknown_since
        self._now = now

    def refusals(self, reservation: Reservation) -> Iterator[Refusal]:
        """Yield each budget that a reservation would exceed: of the rule, of all rules, surges."""
        kind = reservation.budget
        # The limits of a rule replace the general ones, kind by kind.
        own = [limit for limit in reservation.limits if limit.kind is kind]
        cause = HoldCause.RULE_LIMIT if own else HoldCause.RULE_BUDGET
        yield from self._exceeded_of_rule(reservation, own or self._budgets.rule, cause)
        yield from self._exceeded_shares(reservation)
        if self._budgets.surge is not None and kind is BudgetKind.MESSAGES:
            yield from self._surges(reservation, self._budgets.surge)

    def decide(
        self, reservation: Reservation, others: Iterable[Refusal] = ()
    ) -> tuple[Refusal | None, bool]:
        """Find the first reason to refuse; the second value says to use the reserve instead.

        `others` are reasons that come before the budgets.
        """
        refusals = chain(others, self.refusals(reservation))
        first = next(refusals, None)
        is_reserve = (
            first is not None
            and reservation.protected
            and first.cause.yields
            and all(other.cause.yields for other in refusals)
            and self.has_reserve(reservation)
        )
        return None if is_reserve else first, is_reserve

    def has_reserve(self, reservation: Reservation) -> bool:
        """Whether a reservation fits what is kept for mail to protected people."""
        kind = reservation.budget
        limits = [limit for limit in self._budgets.overall if limit.kind is kind]
        return bool(limits) and all(self._fits_reserve(reservation, limit) for limit in limits)

    def is_unknown(self, per: timedelta) -> bool:
        """Whether a window reaches back to before a past that could not be read."""
        return self._unknown_since is not None and self._now - per < self._unknown_since

    def _fits_reserve(self, reservation: Reservation, limit: Limit) -> bool:
        if self.is_unknown(limit.per):
            return False
        spent = self._spending.spent(f"protected/{limit.kind}", limit.per, self._now)
        return spent + reservation.count <= self._budgets.shares.reserve(limit.most)

    def _exceeded_of_rule(
        self, reservation: Reservation, limits: Iterable[Limit], cause: HoldCause
    ) -> Iterator[Refusal]:
        kind, count = reservation.budget, reservation.count
        for limit in limits:
            if limit.kind is not kind:
                continue
            if self.is_unknown(limit.per):
                yield Refusal(cause, _unknown_past(f"{limit} of the rule"))
            spent = self._spending.spent(f"rule/{reservation.rule}/{kind}", limit.per, self._now)
            if spent + count > limit.most:
                reason = f"{count} {kind.label} would exceed {limit} of the rule ({spent:,} so far)"
                yield Refusal(cause, reason, fits=count <= limit.most)

    def _exceeded_shares(self, reservation: Reservation) -> Iterator[Refusal]:
        kind, count = reservation.budget, reservation.count
        for limit in self._budgets.overall:
            if limit.kind is not kind:
                continue
            if self.is_unknown(limit.per):
                reason = _unknown_past(f"{limit} of all rules together")
                yield Refusal(HoldCause.SHARE, reason)

            spent = self._spending.by_level(kind, limit.per, self._now)
            exceeded = self._budgets.shares.find_exceeded(
                reservation.level, count, limit.most, spent
            )
            if exceeded is not None:
                level, share, used = exceeded
                what = f"{limit} of all rules together"
                if share != limit.most:
                    what = f"the share of level {level}: {share:,} of {what}"
                reason = f"{count} {kind.label} would exceed {what} ({used:,} so far)"
                yield Refusal(HoldCause.SHARE, reason, fits=count <= share)

    def _surges(self, reservation: Reservation, surge: Surge) -> Iterator[Refusal]:
        if self.is_unknown(surge.per):
            yield Refusal(HoldCause.SURGE, "the guard was lost, and what is usual is not known")

        rule = reservation.rule
        hits = {f"rule/{rule}/{reservation.budget}": (rule, reservation.count)}
        # By level: what outsiders send to set off rules of one level says nothing about another.
        hits |= {
            f"verdict/{reservation.level}/{verdict}": (verdict, count)
            for verdict, count in reservation.verdicts.items()
        }

        for key, (name, count) in hits.items():
            counter = self._spending.counter(key)
            usual = counter.rate(self._now)
            total = counter.spent(surge.per, self._now) + count
            if total > max(surge.least, surge.factor * usual):
                reason = (
                    f"{name} hits far more than usual: "
                    f"{total:,} messages in {format_duration(surge.per)}, "
                    f"{usual:.1f} an hour before, "
                    f"at most {surge.least:,} or {surge.factor:g} times the usual"
                )
                yield Refusal(HoldCause.SURGE, reason)


def _unknown_past(what: str) -> str:
    return f"the guard was lost, and what was spent of {what} is not known"
