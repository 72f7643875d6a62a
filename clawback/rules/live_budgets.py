"""Gives reservations the budgets that hold when they are made."""

from collections.abc import Callable, Sequence

from clawback.guard import Budgets, Reservation, ReservationBatch
from clawback.rules.engine.ruleset import RuleSet


class LiveBudgets:
    """The budgets of the rules that are loaded now.

    A case may be older than its rule: its level and limits are those that the rule has by now, so
    that a limit which somebody lowers holds at once. If `is_limited` is false, everything is
    granted, but still counted.
    """

    def __init__(self, rules: Callable[[], RuleSet], *, is_limited: bool = True) -> None:
        self._rules = rules
        self._is_limited = is_limited

    def batch(self, reservations: Sequence[Reservation]) -> ReservationBatch:
        """Put reservations together with the budgets."""
        if not self._is_limited:
            free = tuple(one.model_copy(update={"limits": ()}) for one in reservations)
            return ReservationBatch(reservations=free, budgets=Budgets())

        rules = self._rules()
        current = tuple(_refresh(one, rules) for one in reservations)
        return ReservationBatch(reservations=current, budgets=rules.safety.budgets.budgets)


def _refresh(reservation: Reservation, rules: RuleSet) -> Reservation:
    rule = rules.rules.get(reservation.rule)
    if rule is None or rule.response is None:
        return reservation
    return reservation.model_copy(update={"level": rule.level, "limits": rule.response.limits})
