"""What can go wrong, how often, and the seeded dice that decide it.

Carrying a fault out is the gate's business.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """The faults, by the names they have in a specification."""

    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    TIMEOUT = "timeout"
    RESET = "reset"
    LOST_ANSWER = "lost_answer"
    MALFORMED = "malformed"
    SEARCH_202 = "search_202"
    SLOW = "slow"
    LATE_INDEX = "late_index"


_EXCLUSIVE = tuple(fault for fault in Fault if fault not in (Fault.SLOW, Fault.LATE_INDEX))

_SECONDS = {
    Fault.RATE_LIMITED: 1.0,
    Fault.TIMEOUT: 25.0,
    Fault.SLOW: 1.0,
    Fault.SEARCH_202: 1.0,
    Fault.LATE_INDEX: 10.0,
}
"""Default lengths: the Retry-After, the hold, the delay, the time until a search is ready, the lateness."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How often a fault happens, and how many seconds it takes where it takes time."""

    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Faults:
    """The chance of each fault; a fault that is not named never happens."""

    chances: dict[Fault, Chance] = field(default_factory=dict)

    def chance(self, fault: Fault) -> Chance:
        """The chance of one fault."""
        return self.chances.get(fault, Chance(0.0, _SECONDS.get(fault, 0.0)))

    def __str__(self) -> str:
        return ",".join(_written(fault, chance) for fault, chance in self.chances.items())


def parse_faults(spec: str) -> Faults:
    """Read `429=0.05,timeout=0.02:25`: names with a rate from 0 to 1 and, after a colon, seconds.

    Empty means none.

    Raises:
        ValueError: an unknown name, a rate out of range, a length that is no number, or rates that
            add up to more than 1.

    """
    chances = dict(_chances(spec))
    total = sum(chance.rate for fault, chance in chances.items() if fault in _EXCLUSIVE)
    if total > 1.0 + 1e-9:
        raise ValueError(
            f"the rates of faults that exclude each other add up to {total:g}, which is more than 1"
        )
    return Faults(chances)


def _chances(spec: str) -> Iterator[tuple[Fault, Chance]]:
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, _, value = part.partition("=")
        try:
            fault = Fault(name.strip())
        except ValueError:
            raise ValueError(
                f"{name[:40]!r} is not a fault: there are {', '.join(Fault)}"
            ) from None
        yield fault, _chance(fault, value)


def _chance(fault: Fault, value: str) -> Chance:
    rate, _, seconds = value.partition(":")
    try:
        chance = Chance(float(rate), float(seconds) if seconds else _SECONDS.get(fault, 0.0))
    except ValueError:
        raise ValueError(
            f"{fault}={value[:40]} is not a rate: write {fault}=0.05, or {fault}=0.05:SECONDS"
        ) from None
    if not 0.0 <= chance.rate <= 1.0 or not 0.0 <= chance.seconds < float("inf"):
        raise ValueError(
            f"{fault}={value[:40]} is out of range: a rate is from 0 to 1, seconds are not negative"
        )
    return chance


def _written(fault: Fault, chance: Chance) -> str:
    return f"{fault}={chance.rate:g}" + (
        f":{chance.seconds:g}" if chance.seconds != _SECONDS.get(fault, 0.0) else ""
    )


class Dice:
    """Decides, reproducibly for one seed and one order of requests, what befalls each request and each message."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self._seed = seed
        self.faults = faults
        self.random = random.Random(seed)  # noqa: S311

    def request_fault(self) -> Fault | None:
        """What befalls the next request, or None; one number is drawn whatever the outcome."""
        point = self.random.random()
        for fault in _EXCLUSIVE:
            point -= self.faults.chance(fault).rate
            if point < 0:
                return fault
        return None

    def delay(self) -> float:
        """How many seconds the next request is slowed down by; mostly none."""
        slow = self.faults.chance(Fault.SLOW)
        return slow.seconds if self.random.random() < slow.rate else 0.0

    def lateness(self, message: str) -> float:
        """By how many seconds a message shows up late in lists.

        Depends on the message and the seed alone.
        """
        late = self.faults.chance(Fault.LATE_INDEX)
        if not late.rate:
            return 0.0
        own = random.Random(f"{self._seed}/{message}")  # noqa: S311
        return late.seconds if own.random() < late.rate else 0.0

    def reset(self, faults: Faults) -> None:
        """Start the sequence again, with these faults."""
        self.faults = faults
        self.random.seed(self._seed)
