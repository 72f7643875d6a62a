"""One reason of the guard to refuse a reservation."""

from dataclasses import dataclass

from clawback.cases.hold_cause import HoldCause


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to refuse a reservation. `fits` says that it is not too large for the budget."""

    cause: HoldCause
    reason: str
    fits: bool = True

    @property
    def passes(self) -> bool:
        """Whether the same may be granted later, without anybody's approval."""
        return self.cause.passes and self.fits

    @property
    def is_of_all(self) -> bool:
        """Whether it holds every rule of that level and below."""
        return self.cause is HoldCause.SHARE
