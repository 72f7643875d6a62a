"""Fault specifications, and the seeded random choice of faults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from random import Random

from clawback.simulator.faults.base import RequestFault
from clawback.simulator.faults.late_index import LateIndex
from clawback.simulator.faults.registry import FAULT_TYPES, REQUEST_FAULTS

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class FaultRate:
    """How often a fault happens, from 0 to 1, and its parameter in seconds."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class FaultRates:
    """The rate of each fault, by name. A fault that is not listed never happens."""

    by_name: dict[str, FaultRate] = field(default_factory=dict)

    def of(self, name: str) -> FaultRate:
        return self.by_name.get(name, FaultRate(0.0, FAULT_TYPES[name].seconds))

    def __str__(self) -> str:
        return ",".join(_format_rate(name, rate) for name, rate in self.by_name.items())


def parse_faults(spec: str) -> FaultRates:
    """Parse `429=0.05,timeout=0.02:25`: name=rate, then optionally a colon and seconds.

    Raises:
        ValueError: a name is unknown, a number is invalid or out of range, or the rates of
            exclusive faults add up to more than 1.

    """
    rates = dict(_parse_parts(spec))
    total = sum(
        rates[fault.name].rate
        for fault in REQUEST_FAULTS
        if fault.is_exclusive and fault.name in rates
    )
    if total > 1.0 + _ROUNDING:
        raise ValueError(f"the fault rates add up to {total:g}; the maximum is 1")

    return FaultRates(rates)


def _parse_parts(spec: str) -> Iterator[tuple[str, FaultRate]]:
    for part in filter(None, (part.strip() for part in spec.split(","))):
        name, _, value = part.partition("=")
        name = name.strip()
        if name not in FAULT_TYPES:
            raise ValueError(
                f"unknown fault {name[:40]!r}; expected one of {', '.join(FAULT_TYPES)}"
            )
        yield name, _parse_rate(name, value)


def _parse_rate(name: str, value: str) -> FaultRate:
    number, _, seconds = value.partition(":")
    try:
        rate = FaultRate(float(number), float(seconds) if seconds else FAULT_TYPES[name].seconds)
    except ValueError:
        raise ValueError(
            f"{name}={value[:40]}: invalid fault rate; expected {name}=0.05 or {name}=0.05:SECONDS"
        ) from None

    if not 0.0 <= rate.rate <= 1.0 or rate.seconds < 0.0 or not isfinite(rate.seconds):
        raise ValueError(
            f"{name}={value[:40]}: out of range; a rate is 0 to 1, seconds are not negative"
        )

    return rate


def _format_rate(name: str, rate: FaultRate) -> str:
    seconds = f":{rate.seconds:g}" if rate.seconds != FAULT_TYPES[name].seconds else ""
    return f"{name}={rate.rate:g}{seconds}"


class FaultSampler:
    """Chooses faults. The same seed and order of requests give the same faults."""

    def __init__(self, seed: int, rates: FaultRates) -> None:
        self._seed = seed
        self.rates = rates
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose

    def choose(self) -> tuple[type[RequestFault], ...]:
        """Choose what happens to the next request: non-exclusive faults, then at most one other.

        It always draws the same number of random numbers, whatever the rates.
        """
        exclusive = self._choose_exclusive()
        others = [
            fault
            for fault in REQUEST_FAULTS
            if not fault.is_exclusive and self.random.random() < self.rates.of(fault.name).rate
        ]
        return (*others, *exclusive)

    def _choose_exclusive(self) -> tuple[type[RequestFault], ...]:
        point = self.random.random()
        for fault in REQUEST_FAULTS:
            if fault.is_exclusive:
                point -= self.rates.of(fault.name).rate
                if point < 0:
                    return (fault,)

        return ()

    def lateness(self, message: str) -> float:
        """By how many seconds a message appears late in lists.

        It depends on the message and the seed alone, not on the order of arrival.
        """
        late = self.rates.of(LateIndex.name)
        if not late.rate:
            return 0.0
        random = Random(f"{self._seed}/{message}")  # noqa: S311 - reproducible on purpose
        return late.seconds if random.random() < late.rate else 0.0

    def reset(self, rates: FaultRates) -> None:
        """Start the random sequence again, with these rates."""
        self.rates = rates
        self.random.seed(self._seed)
