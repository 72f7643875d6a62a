"""`move`: move each message of the case to a folder."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar, Literal, Protocol

from pydantic import Field

from clawback.actions.base import (
    BudgetKind,
    ContainmentAction,
    Effect,
    FindTarget,
    Scope,
    UndoPart,
)
from clawback.actions.outcomes import ALREADY_THERE, MOVED, failed
from clawback.model.messages import Destination, Target, postfix_id_of

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_LONGEST_REASON = 40


class MoveAction(ContainmentAction):
    """What `move` and `bulk_move` share: messages go to a folder."""

    scope: ClassVar[Scope] = Scope.MESSAGE
    budget: ClassVar[BudgetKind] = BudgetKind.MESSAGES
    inverse: ClassVar[str] = (
        "Messages go back to the inbox: the API does not say where a message was before."
    )
    lost_response: ClassVar[str] = "Each message is read again; it was moved if its record says so."

    destination: Destination

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
        return {"after": self.destination.value}

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


class MoveItem(Protocol):
    """One item of the API's response to a move: one message of one recipient."""

    @property
    def success(self) -> bool | None:
        """Whether it was moved."""

    @property
    def message_id(self) -> str | None:
        """The investigate id, the postfix id or the RFC 5322 header."""

    @property
    def status(self) -> str | None:
        """Free text."""


def move_outcomes(targets: Sequence[Target], items: Iterable[MoveItem]) -> dict[str, str]:
    """Give the outcome of each target that the response names, by investigate id.

    The API does not say which id `message_id` is (reference §2.2), so it is matched against all
    three ids of a message. Targets that the response does not name are left out: they are unknown.
    """
    items_by_id: dict[str, list[MoveItem]] = defaultdict(list)
    for item in items:
        if item.message_id:
            items_by_id[item.message_id].append(item)

    uses = Counter(name for target in targets for name in set(_ids_of(target)))
    return {
        target.id: _outcome_of(found)
        for target in targets
        if (found := _items_of(target, items_by_id, uses))
    }


def _items_of(
    target: Target, items_by_id: Mapping[str, list[MoveItem]], uses: Counter[str]
) -> list[MoveItem]:
    """Find the items of a target; an id that several targets share counts only if all succeeded."""
    for name in _ids_of(target):
        found = items_by_id.get(name)
        if found and (uses[name] == 1 or all(item.success for item in found)):
            return found
    return []


def _ids_of(target: Target) -> tuple[str, ...]:
    return (
        target.id,
        postfix_id_of(target.id),
        *([target.message_id] if target.message_id else []),
    )


def _outcome_of(items: Sequence[MoveItem]) -> str:
    refused = [item for item in items if not item.success]
    if not refused:
        return MOVED
    is_partial = len(refused) < len(items)
    return failed("partly_moved" if is_partial else reason_word(refused[0].status))


def reason_word(text: str | None) -> str:
    """Reduce free text of the API to a short word that can stand in an outcome."""
    return _NOT_A_WORD.sub("_", (text or "").lower()).strip("_")[:_LONGEST_REASON] or "refused"
