"""What it takes to undo a case: everything that took effect, or may have, turned into its inverse.

Pure.

Messages go back to the inbox: where they were before a move is more than the API ever says
(reference §2.2), and the rules act on mail that was delivered. Unknown outcomes are taken back too.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from clawback.actions import (
    AllowSender,
    BlockSender,
    BulkMove,
    Move,
    PolicyAction,
    ProtectIdentity,
    Reclassify,
    TrustDomain,
)
from clawback.cases.descriptions import describe, subjects
from clawback.cases.plan import CasePlan
from clawback.cases.state import TOOK_EFFECT, WOULD, CaseSnapshot
from clawback.model.messages import Destination, Disposition, Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

_UNKNOWN_BEFORE = Disposition.SUSPICIOUS


class Correction(Payload):
    """The opposite of a reclassification."""

    target: Target
    disposition: Disposition


MadePolicy = Annotated[AllowSender | TrustDomain | ProtectIdentity, Field(discriminator="name")]


class UndoPlan(Payload):
    """What would be taken back of one case.

    Messages to the inbox, blocks and policies to remove, reclassifications to answer.

    `left` are the actions that have no inverse we could do; a person must look at them. `notifications`
    counts those sent, which nothing can take back.
    """

    case: str
    uid: str
    rule: str
    version: str = ""
    messages: tuple[Target, ...] = ()
    blocks: tuple[BlockSender, ...] = ()
    corrections: tuple[Correction, ...] = ()
    policies: tuple[MadePolicy, ...] = ()
    left: tuple[str, ...] = ()
    notifications: int = 0

    @property
    def size(self) -> int:
        """How many things would change."""
        return len(self.messages) + len(self.blocks) + len(self.corrections) + len(self.policies)


class UndoScope(Payload):
    """Which part of a case is undone.

    What was done since a moment, or to these messages alone; by whom and why.
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
    messages: dict[str, Target] = {}
    blocks, policies, corrections, left = (
        list[BlockSender](),
        list[MadePolicy](),
        list[Correction](),
        list[str](),
    )
    for index, action in enumerate(plan.actions):
        effective = tuple(_effective(memory, index, scope))
        match action:
            case Move(destination=Destination.INBOX) | BulkMove(destination=Destination.INBOX):
                continue
            case Move() | BulkMove():
                messages |= {
                    one: target for one in effective if (target := memory.target(one)) is not None
                }
            case Reclassify():
                corrections += _corrections(memory, action, effective)
            case BlockSender() if effective and scope.messages is None:
                blocks.append(action)
            case PolicyAction() if effective and scope.messages is None:
                policies.append(action)
            case BlockSender() | PolicyAction():
                continue
            case _ if effective:
                left.append(describe(action))
    return UndoPlan(
        case=plan.case_id,
        uid=memory.uid,
        rule=plan.rule,
        version=plan.version,
        messages=tuple(messages.values()),
        blocks=tuple(blocks),
        corrections=tuple(corrections),
        policies=tuple(policies),
        left=tuple(left),
        notifications=sum(one.outcome != WOULD for one in memory.notifications)
        if scope.messages is None
        else 0,
    )


def inverse_disposition(disposition: Disposition, before: str | None) -> Disposition:
    """Answer a reclassification.

    What was called bad is clean, what was called clean has its former verdict again.
    """
    if disposition is not Disposition.NONE:
        return Disposition.NONE
    former = (before or "").partition("-")[0]
    return (
        Disposition(former) if former in set(Disposition) - {Disposition.NONE} else _UNKNOWN_BEFORE
    )


def _effective(memory: CaseSnapshot, index: int, scope: UndoScope) -> Iterator[str]:
    done_at = {
        subject: done.at for done in memory.done if done.index == index for subject in done.subjects
    }
    acting = (
        set(subjects(memory.acting))
        if memory.acting and memory.acting.index == index
        else set[str]()
    )
    outcomes = memory.outcomes[index] if index < len(memory.outcomes) else {}
    for subject in dict.fromkeys(
        (*(one for one, outcome in outcomes.items() if outcome in TOOK_EFFECT), *sorted(acting))
    ):
        if _is_meant(subject, done_at.get(subject), scope.since, scope.messages):
            yield subject


def _is_meant(
    subject: str, at: datetime | None, since: datetime | None, messages: Collection[str] | None
) -> bool:
    if messages is not None:
        return subject in messages
    return since is None or at is None or at >= since


def _corrections(
    memory: CaseSnapshot, action: Reclassify, messages: Collection[str]
) -> Iterator[Correction]:
    for message in messages:
        if (target := memory.target(message)) is not None:
            yield Correction(
                target=target, disposition=inverse_disposition(action.disposition, target.verdict)
            )
