"""`release`: release each message of the case from quarantine."""

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal

from clawback.actions.base import BudgetKind, ContainmentAction, Effect, Scope
from clawback.actions.outcomes import ALREADY_THERE
from clawback.model.messages import Target


class Release(ContainmentAction):
    """Release each message of the case from quarantine to its recipients."""

    scope: ClassVar[Scope] = Scope.MESSAGE
    budget: ClassVar[BudgetKind] = BudgetKind.MESSAGES
    operations: ClassVar[tuple[str, ...]] = ("release", "action_log")
    inverse: ClassVar[str] = "None: a delivered message can only be moved away."
    lost_response: ClassVar[str] = (
        "The action log of each message shows whether it was released; if that cannot be read, the "
        "outcome is unknown and the release is not repeated."
    )

    name: Literal["release"] = "release"

    @property
    def effect(self) -> Effect:
        return Effect.RESTORES

    def precheck(self, targets: Sequence[Target], handled: Collection[str]) -> dict[str, str]:
        """Leave out messages that are not in quarantine."""
        return {target.id: ALREADY_THERE for target in targets if target.quarantined is False}

    def describe(self) -> str:
        return "release from quarantine"
