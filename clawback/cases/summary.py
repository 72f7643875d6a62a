"""The summary of a case: what lists, filters and undo read instead of the case itself.

A case keeps it in its memo and renews it whenever it comes to rest.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases.clauses import identify_clauses
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import MOVE_WHILE_HELD, CasePlan, Match
from clawback.cases.proposal import Proposal
from clawback.cases.state import ActionSummary, CaseSnapshot, CaseStart, CaseState
from clawback.cases.timing import CaseTiming
from clawback.cases.undo_plan import UndoBasis
from clawback.model.identity import Actor
from clawback.model.messages import Target
from clawback.model.notations import canonical_address
from clawback.model.payload import Payload
from clawback.model.size import payload_size
from clawback.model.texts import bounded
from clawback.model.times import UtcDatetime

MOST_UNDO_BYTES = 8 * 1024
"""The largest undo basis in a memo, before compression. A larger one is read from the history."""
MOST_BYTES = 2 * 1024
"""The largest summary without it: a list decodes thousands of them."""
_LONGEST_TEXT = 200
_SHORTER_TEXTS = (100, 50, 20)
"""Bytes that texts are cut to in turn until a summary fits."""
_LONGEST_NAME = 80
_MOST_NAMED = 3
_MOST_ACTIONS = 5


class DecisionNote(Payload):
    """What people decided about a case, as lists show it: `what` is a past participle."""

    what: str
    by: tuple[str, ...]
    at: UtcDatetime
    reason: str = ""

    @classmethod
    def of(cls, what: str, by: Sequence[Actor], at: datetime, reason: str) -> "DecisionNote":
        """Build the note of a decision by one or several people."""
        named = dict.fromkeys(bounded(actor.label, _LONGEST_NAME) for actor in by)
        return cls(
            what=what, by=tuple(named)[:_MOST_NAMED], at=at, reason=bounded(reason, _LONGEST_TEXT)
        )


class CaseSummary(Payload):
    """A case in at most `MOST_BYTES`, as it was when it last came to rest.

    `sender` is the first sender, `senders` how many there are. `subject`, `sender_name` and
    `authentication` (in words) are those of the first message: text from mail.

    `held_at` is when the case was held last, `arrived_while_held` how many matches came since,
    `deadline` when it expires if it is held; it has `approvals` of the people that it `needs`.
    `decision` is what people decided last about what it has now, `undone` who ended it by an undo.
    `assignee` is who works on it, `assignee_id` the same person as `Identity.id`, if known.

    `clauses` identify what made its first event match (see `identify_clauses`).

    `spent` counts the messages charged since people last decided. `changed` counts what
    undo would take back. `campaign` identifies a campaign of several parts, each with a summary.
    """

    rule: str
    version: str = ""
    title: str = ""
    level: str = ""
    events: int = 0
    messages: int = 0
    mailboxes: int = 0
    sender: str | None = None
    senders: int = 0
    sender_name: str = ""
    subject: str = ""
    authentication: str = ""
    last_match_at: UtcDatetime | None = None
    clauses: tuple[str, ...] = ()
    held_at: UtcDatetime | None = None
    arrived_while_held: int = 0
    hold_reason: str = ""
    hold_cause: HoldCause | None = None
    digest: str = ""
    proposes: tuple[str, ...] = ()
    deadline: UtcDatetime | None = None
    approvals: int = 0
    needs: int = 0
    decision: DecisionNote | None = None
    undone: DecisionNote | None = None
    assignee: str = ""
    assignee_id: str = ""
    comments: int = 0
    spent: int = 0
    outcomes: tuple[ActionSummary, ...] = ()
    changed: int = 0
    campaign: str = ""

    @property
    def moved_while_held(self) -> int:
        """How many messages were moved while the case was held, or may have been."""
        beside = (one for one in self.outcomes if one.action == MOVE_WHILE_HELD)
        return sum(
            count
            for one in beside
            for outcome, count in one.outcomes.items()
            if outcome in TOOK_EFFECT
        )

    @property
    def by_people(self) -> tuple[object, ...]:
        """All of it that only people change."""
        return (
            self.approvals,
            self.decision,
            self.undone,
            self.assignee,
            self.assignee_id,
            self.comments,
        )

    def plus(self, parts: "Iterable[CaseSummary]") -> "CaseSummary":
        """Count the messages of further parts too; the first one that expires is the deadline."""
        every = [self, *parts]
        deadline = min((one.deadline for one in every if one.deadline), default=None)
        counted = ("events", "messages", "spent", "changed", "arrived_while_held")
        return self.model_copy(
            update={
                "deadline": deadline,
                **{name: sum(getattr(one, name) for one in every) for name in counted},
            }
        )


class StoredSummary(CaseSummary):
    """A summary as the memo has it: with what undo would take back, unless that is too large.

    Written without empty values.

    Lists leave that out, since decoding it takes longer than all the rest.
    """

    undo: UndoBasis | None = None

    @property
    def has_whole_undo(self) -> bool:
        """Whether the memo alone says what undo would take back."""
        return self.undo is not None or not self.changed

    @model_serializer(mode="wrap")
    def _leave_out_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The server warns of memos over 2 KiB, and lists decode thousands of them.
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value or name == "rule"}

    def without_undo(self) -> "StoredSummary":
        """Leave the undo basis out: the history has it."""
        return self.model_copy(update={"undo": None})


def summarize_start(start: CaseStart, matches: Iterable[Match]) -> StoredSummary:
    """Summarize a case that starts with these matches."""
    found = list(matches)
    targets = {target.id: target for match in found for target in match.targets}
    return _fit(
        StoredSummary(
            **_about_plan(start.plan),
            **_about(targets.values()),
            events=len(found),
            last_match_at=max((match.seen_at for match in found), default=None),
            clauses=identify_clauses(next((one.reasons for one in found if one.reasons), ())),
            campaign=start.campaign.id if start.campaign else "",
        )
    )


def summarize(
    plan: CasePlan, timing: CaseTiming, snapshot: CaseSnapshot, proposal: Proposal | None = None
) -> StoredSummary:
    """Summarize a case at rest; `proposal` is what it would do if it were approved."""
    basis = UndoBasis.of(plan, snapshot)
    is_small = payload_size(basis) <= MOST_UNDO_BYTES
    summary = StoredSummary(
        **_about_plan(plan),
        **_about(snapshot.all_targets.values()),
        **_about_people(snapshot),
        events=len(snapshot.events),
        last_match_at=snapshot.last_match_at,
        clauses=identify_clauses(snapshot.match_reasons),
        held_at=snapshot.held_at,
        arrived_while_held=snapshot.arrived_while_held if snapshot.held_at else 0,
        hold_reason=bounded(snapshot.hold_reason, _LONGEST_TEXT),
        hold_cause=snapshot.hold_cause if snapshot.state is CaseState.HELD else None,
        digest=proposal.digest if proposal else "",
        proposes=_proposed(proposal) if proposal else (),
        deadline=_deadline(timing.approval_timeout, snapshot),
        needs=proposal.needs if proposal else 0,
        spent=snapshot.spent,
        outcomes=_outcomes(plan, snapshot),
        changed=basis.size,
        campaign=snapshot.campaign_of_parts,
    )
    return _fit(summary).model_copy(update={"undo": basis if basis.size and is_small else None})


def _fit(summary: StoredSummary) -> StoredSummary:
    """Cut the texts of a summary until it is small enough."""
    for limit in _SHORTER_TEXTS:
        if payload_size(summary) <= MOST_BYTES:
            break
        texts = ("title", "subject", "sender_name", "hold_reason")
        cut: dict[str, object] = {name: bounded(getattr(summary, name), limit) for name in texts}
        cut["proposes"] = tuple(bounded(one, limit) for one in summary.proposes)
        for name in ("decision", "undone"):
            if (note := getattr(summary, name)) is not None:
                cut[name] = note.model_copy(update={"reason": bounded(note.reason, limit)})
        summary = summary.model_copy(update=cut)
    return summary


def _about_plan(plan: CasePlan) -> dict[str, str]:
    return {
        "rule": plan.rule,
        "version": plan.version,
        "title": bounded(plan.title, _LONGEST_TEXT),
        "level": plan.level,
    }


def _about_people(snapshot: CaseSnapshot) -> dict[str, Any]:
    decision, undone = snapshot.decision, snapshot.undone
    notes: dict[str, Any] = {}
    if decision is not None:
        what, by = "denied", [decision.actor]
        if decision.approved:
            what, by = "approved", [one.actor for one in snapshot.approvals]
        notes["decision"] = DecisionNote.of(what, by, decision.at, decision.reason)
    if undone is not None:
        notes["undone"] = DecisionNote.of("undone", [undone.actor], undone.at, undone.reason)
    people = {one.actor.identity.person for one in snapshot.approvals}
    if (assignment := snapshot.assignment) is not None:
        notes |= {"assignee": assignment.assignee, "assignee_id": assignment.assignee_id}
    return {**notes, "approvals": len(people), "comments": len(snapshot.comments)}


def _about(targets: Iterable[Target]) -> dict[str, int | str | None]:
    senders: set[str] = set()
    mailboxes: set[str] = set()
    sender, first, messages = None, None, 0

    for target in targets:
        messages += 1
        first = first or target
        if target.sender:
            sender = sender or bounded(target.sender, _LONGEST_TEXT)
            senders.add(canonical_address(target.sender))
        if target.mailbox:
            mailboxes.add(canonical_address(target.mailbox))

    return {
        "messages": messages,
        "mailboxes": len(mailboxes),
        "sender": sender,
        "senders": len(senders),
        "sender_name": (first and first.sender_name) or "",
        "subject": (first and first.subject) or "",
        "authentication": first.authentication if first else "",
    }


def _proposed(proposal: Proposal) -> tuple[str, ...]:
    return tuple(bounded(one, _LONGEST_TEXT) for one in proposal.actions[:_MOST_ACTIONS])


def _deadline(timeout: timedelta, snapshot: CaseSnapshot) -> UtcDatetime | None:
    if snapshot.state is not CaseState.HELD or snapshot.held_at is None:
        return None
    return snapshot.held_at + timeout


def _outcomes(plan: CasePlan, snapshot: CaseSnapshot) -> tuple[ActionSummary, ...]:
    counted = []
    for name, outcomes in zip(plan.action_names, snapshot.outcomes, strict=False):
        counts: dict[str, int] = {}
        for outcome in outcomes.values():
            counts[outcome] = counts.get(outcome, 0) + 1
        counted.append(ActionSummary(action=name, outcomes=counts))

    return tuple(counted)
