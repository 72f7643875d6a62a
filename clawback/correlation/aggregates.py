"""Numbers of a sliding window: their sum, average, median and percentiles, compared with a bound.

Sums are exact, so the order in which numbers enter and leave makes no difference.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from enum import StrEnum
from fractions import Fraction
from math import ceil, isfinite
from operator import ge, gt, le, lt

from clawback.model.payload import Payload


class Comparison(StrEnum):
    """How an aggregate is compared with a bound; the values are Sigma's operators."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


class Bound(Payload):
    """What the aggregate of a window must be. `percentile` is from 1 to 100, if it is one."""

    comparison: Comparison
    number: float
    percentile: int | None = None

    def is_met_by(self, aggregate: Fraction) -> bool:
        """Whether an aggregate is as the bound demands."""
        return _OPERATORS[self.comparison](aggregate, Fraction(self.number))

    def distance(self, aggregate: Fraction) -> Fraction:
        """How far an aggregate is from the bound, in whatever direction."""
        return abs(aggregate - Fraction(self.number))

    def __str__(self) -> str:
        return f"{_WORDS[self.comparison]} {as_plain_number(self.number)}"


_OPERATORS: Mapping[Comparison, Callable[[Fraction, Fraction], bool]] = {
    Comparison.GT: gt,
    Comparison.GTE: ge,
    Comparison.LT: lt,
    Comparison.LTE: le,
}
_WORDS: Mapping[Comparison, str] = {
    Comparison.GT: "above",
    Comparison.GTE: "at least",
    Comparison.LT: "below",
    Comparison.LTE: "at most",
}


class Numbers:
    """A multiset of numbers that is kept sorted."""

    def __init__(self) -> None:
        self._ordered: list[Fraction] = []
        self._total = Fraction()

    def __len__(self) -> int:
        return len(self._ordered)

    def add(self, number: Fraction) -> None:
        """Add a number."""
        insort(self._ordered, number)
        self._total += number

    def remove(self, number: Fraction) -> None:
        """Remove a number that was added."""
        del self._ordered[bisect_left(self._ordered, number)]
        self._total -= number

    @property
    def sum(self) -> Fraction:
        """The sum; 0 of nothing."""
        return self._total

    @property
    def average(self) -> Fraction:
        """The arithmetic mean of at least one number."""
        return self._total / len(self)

    @property
    def median(self) -> Fraction:
        """The number in the middle, or the mean of the two in the middle."""
        return (self._ordered[(len(self) - 1) // 2] + self._ordered[len(self) // 2]) / 2

    def percentile(self, percent: int) -> Fraction:
        """Give the least number that so many percent of the numbers do not exceed: nearest rank."""
        return self._ordered[max(ceil(len(self) * Fraction(percent, 100)), 1) - 1]


def parse_number(text: str) -> Fraction | None:
    """Read a number; None if the text is none, or not a finite one."""
    try:
        return Fraction(number) if isfinite(number := float(text)) else None
    except ValueError:
        return None


def as_plain_number(number: Fraction | float) -> int | float:
    """Give a number as people write it: whole numbers without a fraction."""
    return int(number) if number == int(number) else round(float(number), 3)
