"""The undo plan of a case: everything that took effect, or may have, turned into its inverse.

Unknown outcomes are undone too: undoing what did not happen changes nothing.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from clawback.actions import Correction, Policy, UndoPart
from clawback.actions.outcomes import TOOK_EFFECT, WOULD
from clawback.cases.plan import CasePlan
from clawback.cases.state import CaseSnapshot
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class UndoPlan(Payload):
    """What would be undone of one case.

    `messages` return to the inbox, `policies` (blocks included) are removed if they are still ours,
    `corrections` answer reclassifications. `irreversible` describes actions without an inverse: a
    person must look at them. `notifications` counts those sent, which cannot be taken back.
    """

    case: str
    uid: str
    rule: str
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


class UndoScope(Payload):
    """Which part of a case is undone, by whom and why.

    Everything, what was done since a time, or what was done to some messages.
    """

    by: str
    reason: str = ""
    since: UtcDatetime | None = None
    messages: tuple[str, ...] | None = None

    @property
    def ends_cases(self) -> bool:
        """Whether an open case ends by it; the undo of single messages leaves it open."""
        return self.messages is None


def plan_undo(plan: CasePlan, memory: CaseSnapshot, scope: UndoScope) -> UndoPlan:
    """Work out what undoing a case comes to."""
    parts = [
        action.undo(tuple(_effective(memory, index, scope)), memory.target)
        for index, action in enumerate(plan.actions)
    ]
    is_whole = scope.messages is None
    return UndoPlan(
        case=plan.case_id,
        uid=memory.uid,
        rule=plan.rule,
        version=plan.version,
        messages=_unique_messages(parts),
        policies=tuple(policy for part in parts for policy in part.policies),
        corrections=tuple(correction for part in parts for correction in part.corrections),
        irreversible=tuple(text for part in parts for text in part.irreversible),
        notifications=sum(one.outcome != WOULD for one in memory.notifications) if is_whole else 0,
    )


def _unique_messages(parts: list[UndoPart]) -> tuple[Target, ...]:
    """Two actions may have moved the same message: it returns once."""
    return tuple({target.id: target for part in parts for target in part.messages}.values())


def _effective(memory: CaseSnapshot, index: int, scope: UndoScope) -> Iterator[str]:
    """The subjects in scope on which one action took effect, or may have."""
    outcomes = memory.outcomes[index] if index < len(memory.outcomes) else {}
    effective = [subject for subject, outcome in outcomes.items() if outcome in TOOK_EFFECT]
    if memory.in_progress is not None and memory.in_progress.index == index:
        effective += sorted(set(memory.in_progress.subjects))

    applied_at = {
        subject: applied.at
        for applied in memory.applied
        if applied.index == index
        for subject in applied.subjects
    }
    for subject in dict.fromkeys(effective):
        if _is_covered(subject, applied_at.get(subject), scope.since, scope.messages):
            yield subject


def _is_covered(
    subject: str, at: datetime | None, since: datetime | None, messages: Collection[str] | None
) -> bool:
    if messages is not None:
        return subject in messages
    return since is None or at is None or at >= since
