"""The undo plan of a case: everything that took effect, or may have, turned into its inverse.

Unknown outcomes are undone too: undoing what did not happen changes nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from clawback.actions import Action, Correction, Policy, UndoPart
from clawback.actions.outcomes import WOULD
from clawback.cases.plan import CasePlan
from clawback.cases.state import CaseSnapshot
from clawback.model.identity import Actor
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class Change(Payload):
    """What one step changed, or may have: the action by its position, when, and its subjects.

    `at` is None if the step had not ended: such a change belongs to every time.
    """

    index: int
    at: UtcDatetime | None = None
    subjects: tuple[str, ...]


class UndoBasis(Payload):
    """What a case, or one part of its campaign, changed, as undo needs it for any scope.

    `campaign` is empty if there are no parts. `targets` are the messages among the subjects of the
    changes. Written without empty values, so that it fits into a memo.
    """

    case: str
    uid: str
    rule: str
    campaign: str = ""
    version: str = ""
    actions: tuple[Action, ...] = ()
    changes: tuple[Change, ...] = ()
    targets: dict[str, Target] = Field(default_factory=dict)
    notifications: int = 0

    @classmethod
    def of(cls, plan: CasePlan, snapshot: CaseSnapshot) -> "UndoBasis":
        """Collect what a case has changed."""
        applied = [
            Change(index=one.index, at=one.at, subjects=one.subjects) for one in snapshot.applied
        ]
        # Their requests may have taken effect already.
        applied += [Change(index=one.index, subjects=one.subjects) for one in snapshot.in_progress]
        changes = without_returned(plan, applied)

        subjects = dict.fromkeys(subject for change in changes for subject in change.subjects)
        known = snapshot.all_targets
        return cls(
            case=plan.case_id,
            uid=snapshot.uid,
            rule=plan.rule,
            campaign=snapshot.campaign_of_parts,
            version=plan.version,
            actions=plan.all_actions,
            changes=tuple(changes),
            targets={one: known[one].without_texts for one in subjects if one in known},
            notifications=sum(one.outcome != WOULD for one in snapshot.notifications),
        )

    @property
    def size(self) -> int:
        """How many things were changed."""
        return sum(len(change.subjects) for change in self.changes)

    @model_serializer(mode="wrap")
    def _leave_out_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = _without_none(write(self))
        return written


def without_returned(plan: CasePlan, changes: Iterable[Change]) -> list[Change]:
    """Leave out what a denied case moved while it was held and has given back already.

    Whether it did is certain of a change with a time only.
    """
    every = list(changes)
    if plan.while_held is None:
        return every
    moved = len(plan.actions)
    returned = {
        subject
        for change in every
        if change.index == moved + 1 and change.at is not None
        for subject in change.subjects
    }

    kept: list[Change] = []
    for change in every:
        subjects = tuple(one for one in change.subjects if one not in returned)
        if change.index != moved:
            kept += [change] if change.index < moved else []
        elif subjects:
            kept.append(change.model_copy(update={"subjects": subjects}))
    return kept


class UndoPlan(Payload):
    """What would be undone of one case, or of one part of its campaign.

    Parts of one `campaign` are one case to people. `messages` return to the inbox, `policies`
    (blocks included) are removed if they are still ours, `corrections` answer reclassifications.
    `irreversible` describes actions without an inverse: a person must look at them. `notifications`
    counts those sent, which cannot be taken back.
    """

    case: str
    uid: str
    rule: str
    campaign: str = ""
    version: str = ""
    messages: tuple[Target, ...] = ()
    policies: tuple[Policy, ...] = ()
    corrections: tuple[Correction, ...] = ()
    irreversible: tuple[str, ...] = ()
    notifications: int = 0

    @property
    def size(self) -> int:
        """How many things would change."""
        return len(self.messages) + len(self.policies) + len(self.corrections)

    @property
    def counted_as(self) -> str:
        """The same for all parts of one campaign: the id of its first run."""
        return self.campaign or self.uid.rpartition("/")[2]


class UndoScope(Payload):
    """Which part of a case is undone, by whom and why.

    Everything, what was done since a time and until another, or what was done to some messages.
    """

    actor: Actor
    reason: str = ""
    since: UtcDatetime | None = None
    until: UtcDatetime | None = Field(default=None, exclude_if=lambda value: value is None)
    messages: tuple[str, ...] | None = None

    @property
    def ends_cases(self) -> bool:
        """Whether an open case ends by it; the undo of single messages leaves it open."""
        return self.messages is None


def plan_undo(basis: UndoBasis, scope: UndoScope) -> UndoPlan:
    """Work out what undoing a case comes to."""
    parts = [
        action.undo(tuple(_covered(basis, index, scope)), basis.targets.get)
        for index, action in enumerate(basis.actions)
    ]
    is_whole = scope.messages is None
    return UndoPlan(
        case=basis.case,
        uid=basis.uid,
        rule=basis.rule,
        campaign=basis.campaign,
        version=basis.version,
        messages=_unique_messages(parts),
        policies=tuple(policy for part in parts for policy in part.policies),
        corrections=tuple(correction for part in parts for correction in part.corrections),
        irreversible=tuple(text for part in parts for text in part.irreversible),
        notifications=basis.notifications if is_whole else 0,
    )


def _unique_messages(parts: list[UndoPart]) -> tuple[Target, ...]:
    """Two actions may have moved the same message: it returns once."""
    return tuple({target.id: target for part in parts for target in part.messages}.values())


def _covered(basis: UndoBasis, index: int, scope: UndoScope) -> Iterator[str]:
    """The subjects in scope that one action changed, each once."""
    subjects = (
        subject
        for change in basis.changes
        if change.index == index and _is_in_time(change, scope)
        for subject in change.subjects
    )
    for subject in dict.fromkeys(subjects):
        if scope.messages is None or subject in scope.messages:
            yield subject


def _is_in_time(change: Change, scope: UndoScope) -> bool:
    if change.at is None:
        return True
    is_late = scope.since is None or change.at >= scope.since
    return is_late and (scope.until is None or change.at < scope.until)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_without_none(one) for one in value]
    return value
