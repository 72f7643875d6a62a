"""What actions that create an entry on a policy list of the account share.

Every entry carries the mark of its case in its comments. It is searched for before and after each
attempt to create it, and removed only while it is still ours. Source: reference §1.6, §2.5.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from clawback.actions.base import BudgetKind, ContainmentAction, FindTarget, UndoPart
from clawback.actions.outcomes import CREATED
from clawback.model.messages import Target
from clawback.model.notations import shown
from clawback.model.policies import Resource

PolicyFields = Mapping[str, str | bool]
"""The fields of an entry as the API names them, without comments."""


class PolicyAction(ContainmentAction):
    """An action that creates an entry on a policy list."""

    budget: ClassVar[BudgetKind] = BudgetKind.POLICIES
    resource: ClassVar[Resource]
    created_outcome: ClassVar[str] = CREATED
    refusal: ClassVar[str] = "never_allow"
    inverse: ClassVar[str] = "The entry is removed if it is still ours and unchanged."
    lost_response: ClassVar[str] = "The list is searched for the entry before it is created again."

    @property
    def label(self) -> str:
        """What the entry is about, in one text: the subject of its outcome."""
        raise NotImplementedError

    @property
    def fields(self) -> PolicyFields:
        """The fields of the entry."""
        raise NotImplementedError

    @property
    def problem(self) -> str | None:
        """Why the API would refuse the entry, as a word of an outcome; None if it would not."""
        raise NotImplementedError

    def lifetime(self, repeats: int) -> timedelta | None:
        """How long the entry stands after `repeats` earlier ones of its subject; None: for ever."""
        return None

    def subjects(self, targets: Sequence[Target]) -> tuple[str, ...]:
        return (self.label,)

    def precheck(self, targets: Sequence[Target], handled: Collection[str]) -> dict[str, str]:
        """Fail what the API would refuse."""
        return self._refuse(targets, self.problem)

    def describe_in_full(self) -> str:
        return f"{self.describe()}: {shown(self.label)}"

    def undo(self, subjects: Sequence[str], find: FindTarget) -> UndoPart:
        """Remove the entry."""
        return UndoPart(policies=(self,) if subjects else ())
