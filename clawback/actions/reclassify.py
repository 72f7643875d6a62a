"""`reclassify`: tell Cloudflare the right disposition of the first message."""

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.base import (
    BudgetKind,
    ContainmentAction,
    Correction,
    Effect,
    FindTarget,
    UndoPart,
)
from clawback.model.messages import Disposition, Target

_UNKNOWN_BEFORE = Disposition.SUSPICIOUS


class Reclassify(ContainmentAction):
    """Report the right disposition to Cloudflare, once per case, for its first message."""

    budget: ClassVar[BudgetKind] = BudgetKind.RECLASSIFICATIONS
    operations: ClassVar[tuple[str, ...]] = ("reclassify",)
    is_exclusive: ClassVar[bool] = True
    inverse: ClassVar[str] = "It cannot be withdrawn: the opposite reclassification is requested."
    lost_response: ClassVar[str] = (
        "The list of submissions shows whether it was made; every call makes another."
    )

    name: Literal["reclassify"] = "reclassify"
    disposition: Disposition = Field(description="The disposition the message should have had")

    @property
    def effect(self) -> Effect:
        return Effect.RESTORES if self.disposition is Disposition.NONE else Effect.WITHHOLDS

    def precheck(self, targets: Sequence[Target], handled: Collection[str]) -> dict[str, str]:
        """Fail without a message to reclassify."""
        return self._refuse(targets, None if targets else "no_message")

    def describe(self) -> str:
        return f"reclassify as {self.disposition}"

    def audit_change(self, target: Target | None) -> dict[str, str | None]:
        before = target.verdict if target is not None else None
        return {"before": before, "after": self.disposition.value}

    def undo(self, subjects: Sequence[str], find: FindTarget) -> UndoPart:
        """Answer each reclassification by its opposite."""
        found = (find(subject) for subject in subjects)
        return UndoPart(
            corrections=tuple(
                Correction(
                    target=target,
                    disposition=inverse_disposition(self.disposition, target.verdict),
                )
                for target in found
                if target is not None
            )
        )


def inverse_disposition(disposition: Disposition, verdict: str | None) -> Disposition:
    """Give the disposition that undoes a reclassification.

    What was called bad becomes clean; what was called clean gets its former verdict back, or
    SUSPICIOUS if that is unknown.
    """
    if disposition is not Disposition.NONE:
        return Disposition.NONE
    # Submissions know no MALICIOUS-BEC (reference §2.3): what is before the dash is meant.
    former = (verdict or "").partition("-")[0]
    is_bad = former in set(Disposition) - {Disposition.NONE}
    return Disposition(former) if is_bad else _UNKNOWN_BEFORE
