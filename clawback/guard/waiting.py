"""The held cases that wait until a budget has room or their rule is confirmed, in order.

Bounded: what has no place asks by itself later. So does every case now and then, whether it has a
place or not: a place can be lost with the guard, and a message to a case too.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.actions import BudgetKind
from clawback.cases.plan import Limit
from clawback.guard.budget_check import BudgetCheck
from clawback.guard.payloads import Grant, Reservation
from clawback.guard.spending import Spending
from clawback.model.level import Level

MOST_WAITING = 3_000
"""About 100 bytes each."""
MOST_TOLD = 100
"""Cases that are told in one go."""
_WITH_PLACE = timedelta(hours=24)
_WITHOUT_PLACE = timedelta(hours=1)
_LONGEST_PAUSE = 30
"""Minutes until a case is told again that was told and refused, at most."""


class Waiting:
    """Places in the queue, by the workflow id of the case.

    `limits` are those of rules that have some of their own.
    """

    def __init__(
        self, places: Mapping[str, "Place"], limits: Mapping[str, tuple[Limit, ...]]
    ) -> None:
        self.places = dict(places)
        self.limits = dict(limits)
        self._rules = Counter(map(_rule_of, places))
        self._last: str | None = None

    @classmethod
    def of(
        cls, rows: Mapping[str, list[Any]], limits: Mapping[str, tuple[Limit, ...]]
    ) -> "Waiting":
        """Read a snapshot."""
        return cls({case: Place.from_row(row) for case, row in rows.items()}, limits)

    @property
    def rows(self) -> dict[str, list[Any]]:
        """The places in a snapshot."""
        return {case: place.row for case, place in self.places.items()}

    @property
    def rules(self) -> Iterable[str]:
        """The rules of the cases that wait."""
        return self._rules.keys()

    def add(
        self, reservation: Reservation, now: datetime, *, is_unconfirmed: bool = False
    ) -> datetime:
        """Give a case a place if there is one; return when it asks by itself at the latest.

        If there are too few, those go first whose rule must be confirmed: nobody knows when.
        """
        case = reservation.case
        place = Place.of(reservation, now, is_unconfirmed=is_unconfirmed)
        if case not in self.places and len(self.places) >= MOST_WAITING:
            # In a storm nearly all come last, and are turned away without a search.
            last = self._find_last()
            if self.places[last].rank > place.rank:
                self.remove(last)

        pause = _WITH_PLACE
        if case in self.places or len(self.places) < MOST_WAITING:
            self._rules[reservation.rule] += case not in self.places
            self.places[case] = place
            self._last = None if self._last in {None, case} else self._later(self._last, case)
            if reservation.limits:
                self.limits[reservation.rule] = reservation.limits
        else:
            pause = min(_WITHOUT_PLACE * 2 ** min(reservation.asked, 5), _WITH_PLACE)

        # By its id, so that they spread evenly and a replay gives the same.
        spread = zlib.crc32(case.encode()) / 2**32
        return now + pause * (1 + spread)

    def end(self, granted: Reservation) -> None:
        """Take out a case that was granted what it waits for; something else of it may wait on."""
        place = self.places.get(granted.case)
        if place is not None and (granted.approved or place.is_for(granted)):
            self.remove(granted.case)

    def remove(self, case: str) -> None:
        """Take a case out of the queue, if it is there."""
        if self.places.pop(case, None) is not None:
            rule = _rule_of(case)
            self._rules[rule] -= 1
            if not self._rules[rule]:
                del self._rules[rule]
        if self._last == case:
            self._last = None

    def _find_last(self) -> str:
        if self._last is None:
            self._last = max(self.places, key=lambda case: self.places[case].rank)
        return self._last

    def _later(self, one: str | None, other: str) -> str:
        if one is None or self.places[other].rank > self.places[one].rank:
            return other
        return one

    def take_due(
        self,
        spending: Spending,
        check: BudgetCheck,
        must_confirm: Callable[[str], bool],
        now: datetime,
    ) -> Iterator[str]:
        """Take the next cases out that have room, one after the other.

        Highest level first, then the oldest. If a share has no room for one, those behind it wait,
        however small they are. Of a rule that people must confirm first, none is taken.
        """
        unconfirmed = {rule for rule in self.rules if must_confirm(rule)}
        blocked: set[tuple[str, BudgetKind, bool]] = set()
        for case, place in sorted(self.places.items(), key=lambda item: item[1].order):
            wanted = place.reservation(case, self.limits)
            mine = (wanted.rule, wanted.budget, wanted.protected)
            everybody = ("", wanted.budget, wanted.protected)
            is_blocked = wanted.rule in unconfirmed or bool(blocked & {mine, everybody})
            if place.not_before > now or is_blocked:
                continue

            refusal, is_reserve = check.decide(wanted)
            if refusal is not None:
                blocked.add(everybody if refusal.is_of_all else mine)
                continue
            spending.charge(_grant(wanted, now, is_reserve=is_reserve), wanted.count)
            self.remove(case)
            yield case

    def forget_last(self) -> bool:
        """Forget a tenth, those that would come last; False if there was nothing."""
        ordered = sorted(self.places, key=lambda case: self.places[case].rank)
        last = ordered[-(len(ordered) // 10 + 1) :]
        for case in last:
            self.remove(case)
        return bool(last)

    def forget_limits(self) -> None:
        """Forget the limits of rules of which no case waits."""
        self.limits = {rule: limits for rule, limits in self.limits.items() if rule in self._rules}


class Place:
    """What is known of a waiting case; a short row in the snapshot."""

    __slots__ = (
        "count",
        "is_unconfirmed",
        "kind",
        "level",
        "not_before",
        "protected",
        "since",
        "verdicts",
    )

    def __init__(  # noqa: PLR0913 - one for each column of the row
        self,
        level: Level,
        kind: BudgetKind,
        count: int,
        *,
        protected: bool,
        since: datetime,
        not_before: datetime,
        verdicts: Mapping[str, int],
        is_unconfirmed: bool = False,
    ) -> None:
        self.level = level
        self.kind = kind
        self.count = count
        self.protected = protected
        self.since = since
        self.not_before = not_before
        self.verdicts = dict(verdicts)
        self.is_unconfirmed = is_unconfirmed

    @classmethod
    def of(
        cls, reservation: Reservation, now: datetime, *, is_unconfirmed: bool = False
    ) -> "Place":
        """The place of a case that was refused."""
        pause = timedelta(minutes=min(reservation.asked, _LONGEST_PAUSE))
        return cls(
            reservation.level,
            reservation.budget,
            reservation.count,
            protected=reservation.protected,
            since=reservation.since or now,
            not_before=now + pause,
            verdicts=reservation.verdicts,
            is_unconfirmed=is_unconfirmed,
        )

    @classmethod
    def from_row(cls, row: list[Any]) -> "Place":
        """Read a row of a snapshot."""
        level, kind, count, protected, since, not_before, verdicts, is_unconfirmed = row
        return cls(
            list(Level)[level],
            BudgetKind(kind),
            count,
            protected=bool(protected),
            since=datetime.fromtimestamp(since, UTC),
            not_before=datetime.fromtimestamp(not_before, UTC),
            verdicts=verdicts,
            is_unconfirmed=bool(is_unconfirmed),
        )

    @property
    def row(self) -> list[Any]:
        """The row of a snapshot."""
        return [
            self.level.rank,
            self.kind.value,
            self.count,
            int(self.protected),
            round(self.since.timestamp(), 3),
            round(self.not_before.timestamp()),
            self.verdicts,
            int(self.is_unconfirmed),
        ]

    @property
    def order(self) -> tuple[int, datetime]:
        """Highest level first, then the oldest."""
        return -self.level.rank, self.since

    @property
    def rank(self) -> tuple[bool, int, datetime]:
        """The order in which places are kept."""
        return self.is_unconfirmed, *self.order

    def is_for(self, reservation: Reservation) -> bool:
        """Whether it is the place of such a reservation."""
        return (self.kind, self.protected) == (reservation.budget, reservation.protected)

    def reservation(self, case: str, limits: Mapping[str, tuple[Limit, ...]]) -> Reservation:
        """What the case will ask for, as far as is known."""
        rule = _rule_of(case)
        return Reservation(
            id="",
            rule=rule,
            level=self.level,
            budget=self.kind,
            count=self.count,
            verdicts=self.verdicts,
            limits=limits.get(rule, ()),
            protected=self.protected,
        )


def _rule_of(case: str) -> str:
    """The rule in `case/<rule>/<hash>` or a part of it."""
    _, _, rest = case.partition("/")
    return rest.partition("/")[0]


def _grant(wanted: Reservation, now: datetime, *, is_reserve: bool) -> Grant:
    return Grant(
        rule=wanted.rule,
        level=wanted.level,
        budget=wanted.budget,
        count=wanted.count,
        at=now,
        verdicts=wanted.verdicts,
        is_reserve=is_reserve,
    )
