"""One reason of the guard to refuse a reservation."""

from dataclasses import dataclass

from clawback.cases.hold_cause import HoldCause


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse a reservation."""

    cause: HoldCause
    reason: str
