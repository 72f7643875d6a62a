"""`move`: move each message of the case to a folder."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.base import (
    BudgetKind,
    ContainmentAction,
    Effect,
    FindTarget,
    Scope,
    UndoPart,
)
from clawback.actions.outcomes import ALREADY_THERE
from clawback.model.folders import folder_at
from clawback.model.messages import Destination, Target
from clawback.model.texts import plural


class MoveAction(ContainmentAction):
    """What `move` and `bulk_move` share: messages go to a folder."""

    scope: ClassVar[Scope] = Scope.MESSAGE
    budget: ClassVar[BudgetKind] = BudgetKind.MESSAGES
    inverse: ClassVar[str] = (
        "Messages go back to the inbox: the API does not say where a message was before."
    )
    lost_response: ClassVar[str] = (
        "Each message is read again, for some minutes if the move was accepted; it was moved if "
        "its record says so."
    )

    destination: Destination

    def folder_for(self, target: Target | None) -> Destination:
        """Give the folder to ask for: the nearest where the provider of a mailbox lacks it."""
        return folder_at(target.provider if target else None, self.destination)

    @property
    def effect(self) -> Effect:
        return Effect.RESTORES if self.destination is Destination.INBOX else Effect.WITHHOLDS

    @property
    def is_hard_delete(self) -> bool:
        return self.destination is Destination.PURGES

    @property
    def has_wide_impact(self) -> bool:
        """A hard delete can be reverted by nobody but an administrator."""
        return self.is_hard_delete

    def precheck(self, targets: Sequence[Target], handled: Collection[str]) -> dict[str, str]:
        """Leave handled messages alone, unless the purpose is to give them back."""
        if self.effect is Effect.RESTORES:
            return {}
        return {target.id: ALREADY_THERE for target in targets if target.id in handled}

    def audit_change(self, target: Target | None) -> dict[str, str | None]:
        return {"after": self.folder_for(target).value}

    def in_one_request(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Take the messages that go to the same folder as the first."""
        first = targets[0] if targets else None
        folder = self.folder_for(first)
        return tuple(target for target in targets if self.folder_for(target) is folder)

    @property
    def undone_as(self) -> str:
        """All kinds of moves are taken back by one."""
        return "move"

    def describe_elsewhere(self, targets: Iterable[Target]) -> Iterator[str]:
        folders = ((self.folder_for(target), target.provider) for target in targets)
        counted = Counter(one for one in folders if one[0] is not self.destination)
        for (folder, provider), count in counted.items():
            if provider is not None:
                reason = f"{provider.product} has no {self.destination}"
                yield f"{folder} for {plural(count, 'message')}: {reason}"

    def undo(self, subjects: Sequence[str], find: FindTarget) -> UndoPart:
        """Return the messages, unless they went to the inbox."""
        if self.effect is Effect.RESTORES:
            return UndoPart()
        found = (find(subject) for subject in subjects)
        return UndoPart(messages=tuple(target for target in found if target is not None))


class Move(MoveAction):
    """Move each message of the case to a folder, up to 1,000 in one request."""

    operations: ClassVar[tuple[str, ...]] = ("move",)
    is_exclusive: ClassVar[bool] = True

    name: Literal["move"] = "move"
    destination: Destination = Field(
        description="The folder; RecoverableItemsPurges is a hard delete and needs `hard_delete: "
        "true` in safety.yml"
    )

    def describe(self) -> str:
        return f"move to {self.destination}"
