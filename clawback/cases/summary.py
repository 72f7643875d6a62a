"""The summary of a case: what lists, filters and undo read instead of the case itself.

A case keeps it in its memo and renews it whenever it comes to rest.
"""

from collections.abc import Iterable
from datetime import timedelta

from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import MOVE_WHILE_HELD, CasePlan, Match
from clawback.cases.state import ActionSummary, CaseSnapshot, CaseStart, CaseState, Proposal
from clawback.cases.timing import CaseTiming
from clawback.cases.undo_plan import UndoBasis
from clawback.model.messages import Target
from clawback.model.notations import canonical_address
from clawback.model.payload import Payload
from clawback.model.size import payload_size
from clawback.model.texts import bounded
from clawback.model.times import UtcDatetime

MOST_UNDO_BYTES = 8 * 1024
"""The largest undo basis in a memo, before compression. A larger one is read from the history."""
_LONGEST_TEXT = 200
_MOST_ACTIONS = 5


class CaseSummary(Payload):
    """A case in a few hundred bytes, as it was when it last came to rest.

    `sender` is the first sender, `senders` how many there are. `deadline` is when a held case
    expires; `spent` counts the messages charged since people last decided. `changed` counts what
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
    hold_reason: str = ""
    hold_cause: HoldCause | None = None
    digest: str = ""
    proposes: tuple[str, ...] = ()
    deadline: UtcDatetime | None = None
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

    def plus(self, parts: "Iterable[CaseSummary]") -> "CaseSummary":
        """Count the messages of further parts too."""
        every = [self, *parts]
        counted = ("events", "messages", "spent", "changed")
        return self.model_copy(
            update={name: sum(getattr(one, name) for one in every) for name in counted}
        )


class StoredSummary(CaseSummary):
    """A summary as the memo has it: with what undo would take back, unless that is too large.

    Lists leave that out, since decoding it takes longer than all the rest.
    """

    undo: UndoBasis | None = None

    @property
    def has_whole_undo(self) -> bool:
        """Whether the memo alone says what undo would take back."""
        return self.undo is not None or not self.changed

    def without_undo(self) -> "StoredSummary":
        """Leave the undo basis out: the history has it."""
        return self.model_copy(update={"undo": None})


def summarize_start(start: CaseStart, matches: Iterable[Match]) -> StoredSummary:
    """Summarize a case that starts with these matches."""
    found = list(matches)
    targets = {target.id: target for match in found for target in match.targets}
    return StoredSummary(
        **_about_plan(start.plan),
        **_about(targets.values()),
        events=len(found),
        campaign=start.campaign.id if start.campaign else "",
    )


def summarize(
    plan: CasePlan, timing: CaseTiming, snapshot: CaseSnapshot, proposal: Proposal | None = None
) -> StoredSummary:
    """Summarize a case at rest; `proposal` is what it would do if it were approved."""
    basis = UndoBasis.of(plan, snapshot)
    is_small = payload_size(basis) <= MOST_UNDO_BYTES
    return StoredSummary(
        **_about_plan(plan),
        **_about(snapshot.all_targets.values()),
        events=len(snapshot.events),
        hold_reason=bounded(snapshot.hold_reason, _LONGEST_TEXT),
        hold_cause=snapshot.hold_cause if snapshot.state is CaseState.HELD else None,
        digest=proposal.digest if proposal else "",
        proposes=_proposed(proposal) if proposal else (),
        deadline=_deadline(timing.approval_timeout, snapshot),
        spent=snapshot.spent,
        outcomes=_outcomes(plan, snapshot),
        changed=basis.size,
        undo=basis if basis.size and is_small else None,
        campaign=snapshot.campaign_of_parts,
    )


def _about_plan(plan: CasePlan) -> dict[str, str]:
    return {
        "rule": plan.rule,
        "version": plan.version,
        "title": bounded(plan.title, _LONGEST_TEXT),
        "level": plan.level,
    }


def _about(targets: Iterable[Target]) -> dict[str, int | str | None]:
    senders: set[str] = set()
    mailboxes: set[str] = set()
    first, messages = None, 0

    for target in targets:
        messages += 1
        if target.sender:
            first = first or bounded(target.sender, _LONGEST_TEXT)
            senders.add(canonical_address(target.sender))
        if target.mailbox:
            mailboxes.add(canonical_address(target.mailbox))

    return {
        "messages": messages,
        "mailboxes": len(mailboxes),
        "sender": first,
        "senders": len(senders),
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
