"""Judges an undo before it begins: what it comes to now, and whether a second person must agree.

An undo puts mail back into inboxes. What Cloudflare still, or by now, calls malicious goes back
only if two people want it, and so does a large undo of anything.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from clawback.cases.state import Decision
from clawback.cases.timing import CaseTiming
from clawback.cases.undo_plan import UndoPlan
from clawback.model.durations import Duration
from clawback.model.identity import Actor, IdentitySource
from clawback.model.payload import Payload
from clawback.model.texts import plural
from clawback.model.times import UtcDatetime

MALICIOUS = frozenset({"MALICIOUS", "MALICIOUS-BEC"})
"""The verdicts with which no message returns to an inbox on one person's word."""
UNKNOWN = "unknown"
"""Stands for the verdict of a message that could not be read."""
_MOST_NAMED = 20


class UndoLimits(Payload):
    """What one person may undo alone: so many changes, of so many cases, in a sliding window."""

    changes: int
    cases: int
    per: Duration = timedelta(hours=1)


DEFAULT_UNDO_LIMITS: Final = UndoLimits(changes=100, cases=20)
"""Those of a safety document that says nothing else."""


class UndoAssessment(Payload):
    """What an undo comes to: what people see, and what they agree to.

    A large campaign is one of the `cases`, whatever the number of its `parts`. `changes` counts
    messages that return, policies that go and reclassifications that are answered;
    `verdicts` counts the messages by their present verdict, and `malicious` has the first of those
    that are malicious. `reasons` says why a second person must agree; none if nobody must. `digest`
    identifies exactly this. `channels` are those that are told if it is held, `told_after` those
    that are told what was undone.
    """

    cases: int = 0
    parts: int = 0
    changes: int = 0
    messages: int = 0
    verdicts: dict[str, int] = Field(default_factory=dict)
    malicious: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    digest: str = ""
    channels: tuple[str, ...] = ()
    told_after: tuple[str, ...] = ()


class UndoHold(Payload):
    """An undo that waits for a second person: since when, until when, for whom, and for what."""

    actor: Actor
    reason: str = ""
    held_at: UtcDatetime
    expires_at: UtcDatetime
    assessment: UndoAssessment


class UndoNote(Payload):
    """What lists say of an undo: who asked for it, why, and what it takes back.

    `what` names it as people chose it: a case, a rule, a time. `pages` is how many workflows carry
    it out, `changes` how much it was to take back when somebody looked at its plan.
    """

    by: str
    reason: str = ""
    what: str = ""
    cases: int = 0
    changes: int = 0
    pages: int = 1


def assess_undo(  # noqa: PLR0913 - what is known beside the plans
    plans: Sequence[UndoPlan],
    verdicts: Mapping[str, str],
    limits: UndoLimits | None,
    *,
    unread: int = 0,
    further: int = 0,
    is_part: bool = False,
) -> UndoAssessment:
    """Judge the undo of some cases by the present verdicts of their messages, by id.

    Without `limits` nobody is asked. `unread` counts cases that could not be read, `further`
    changes that are not among these plans, and `is_part` says that this is one page of a larger
    undo, whose pages are judged as large.
    """
    messages = list(dict.fromkeys(one.id for plan in plans for one in plan.messages))
    malicious = [one for one in messages if verdicts.get(one) in MALICIOUS]
    changes = sum(plan.size for plan in plans)
    found = UndoAssessment(
        cases=len({plan.counted_as for plan in plans}) + unread,
        parts=len(plans) + unread,
        changes=changes,
        messages=len(messages),
        verdicts=dict(Counter(verdicts.get(one, UNKNOWN) for one in messages)),
        malicious=tuple(malicious[:_MOST_NAMED]),
        digest=_digest(plans, malicious, changes),
    )
    if limits is None:
        return found

    is_large = is_part or found.cases > limits.cases or changes + further > limits.changes
    reasons = tuple(_reasons(found, len(malicious), limits, unread=unread, is_large=is_large))
    return found.model_copy(update={"reasons": reasons})


def _reasons(
    found: UndoAssessment, malicious: int, limits: UndoLimits, *, unread: int, is_large: bool
) -> Iterator[str]:
    if malicious:
        are = "is" if malicious == 1 else "are"
        yield f"{plural(malicious, 'message')} {are} malicious now"
    if unknown := found.verdicts.get(UNKNOWN, 0):
        yield f"the present verdict of {plural(unknown, 'message')} could not be read"
    if unread:
        yield f"{plural(unread, 'case')} still acts, or cannot be read"
    if is_large:
        most = f"{plural(limits.changes, 'change')} or {plural(limits.cases, 'case')}"
        yield f"it takes back more than {most}"


def describe_cases(cases: int, parts: int) -> str:
    """Say how many cases there are, and of how many parts if those are more."""
    text = plural(cases, "case")
    return f"{text} of {parts:,} parts" if parts > cases else text


def _digest(plans: Sequence[UndoPlan], malicious: Sequence[str], changes: int) -> str:
    """Identify what would be undone, and what of it is malicious: `<changes>-<hash>`."""
    content = [
        sorted(
            [
                plan.uid,
                sorted(one.id for one in plan.messages),
                sorted(f"{one.name} {one.label}" for one in plan.policies),
                sorted(f"{one.target.id} {one.disposition}" for one in plan.corrections),
            ]
            for plan in plans
        ),
        sorted(malicious),
    ]
    canonical = json.dumps(content).encode("utf-8", "surrogatepass")
    return f"{changes}-{hashlib.sha256(canonical).hexdigest()[:12]}"


def merge_holds(holds: Sequence[UndoHold]) -> UndoHold:
    """Join what the pages of one undo wait for; the digest stands for exactly all of it."""
    first, *others = holds
    if not others:
        return first

    found = [one.assessment for one in holds]
    verdicts = Counter[str]()
    for one in found:
        verdicts.update(one.verdicts)

    changes = sum(one.changes for one in found)
    digests = "\0".join(sorted(one.digest for one in found))
    merged = UndoAssessment(
        cases=sum(one.cases for one in found),
        parts=sum(one.parts for one in found),
        changes=changes,
        messages=sum(one.messages for one in found),
        verdicts=dict(verdicts),
        malicious=tuple(id_ for one in found for id_ in one.malicious)[:_MOST_NAMED],
        reasons=tuple(dict.fromkeys(reason for one in found for reason in one.reasons)),
        digest=f"{changes}-{hashlib.sha256(digests.encode()).hexdigest()[:12]}",
    )
    expires_at = min(one.expires_at for one in holds)
    return first.model_copy(update={"assessment": merged, "expires_at": expires_at})


class UndoAgreement:
    """Whether an undo may begin, and who agrees. Its `actor`, who asked for it, is one of two."""

    def __init__(self, actor: Actor, reason: str, timing: CaseTiming) -> None:
        self.actor = actor
        self._reason = reason
        self._timing = timing
        self.hold: UndoHold | None = None
        self.decision: Decision | None = None

    def needs_people(self, assessment: UndoAssessment, now: datetime) -> bool:
        """Note what an undo comes to now, and say whether a second person must agree first.

        An approval counts for exactly what was shown.
        """
        if not assessment.reasons or self.approved_digest == assessment.digest:
            self.hold = None
            return False

        self.decision = None
        self.hold = UndoHold(
            actor=self.actor,
            reason=self._reason,
            held_at=now,
            expires_at=now + self._timing.approval_timeout,
            assessment=assessment,
        )
        return True

    @property
    def approved_digest(self) -> str:
        """What a second person has agreed to; empty if nobody has."""
        is_approved = self.decision is not None and self.decision.approved
        return self.hold.assessment.digest if is_approved and self.hold is not None else ""

    @property
    def pending(self) -> UndoHold | None:
        """What people must decide about now."""
        return self.hold if self.decision is None else None

    @property
    def warns_at(self) -> datetime | None:
        """When people are reminded of the hold; None if it is too short for that."""
        if self.hold is None or self._timing.approval_timeout <= self._timing.warning:
            return None
        return self.hold.expires_at - self._timing.warning

    def approval_problem(self, actor: Actor, digest: str) -> str | None:
        """Why somebody cannot approve; None if they can."""
        if (problem := self.decision_problem()) is not None or self.hold is None:
            return problem
        if self.actor.identity.source is IdentitySource.TOKEN:
            return (
                f"{self.actor.label} asked for this undo, which needs two people: deny it, and "
                "start it in person"
            )
        if actor.identity.person == self.actor.identity.person:
            return f"{self.actor.label} asked for this undo: another person must approve it"
        current = self.hold.assessment.digest
        if digest != current:
            return f"the undo has changed since it was shown: its digest is now {current}"
        return None

    def decision_problem(self) -> str | None:
        """Why nobody can decide now; None if the undo waits for a decision."""
        if self.hold is None or self.decision is not None:
            return "the undo does not wait for a decision"
        return None

    def decide(self, decision: Decision) -> None:
        """Take the decision that the undo waits for."""
        self.decision = decision
