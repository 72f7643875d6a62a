"""What people decide about a held case: one sentence, what silence does, what has changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from clawback.case_files.case_file import CaseFile
from clawback.cases import CaseSnapshot, CaseState, Proposal
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.proposal_change import ChangeView
from clawback.console.views.times import Clock, ShownTime
from clawback.model.identity import Identity
from clawback.model.notations import canonical_address
from clawback.model.texts import plural

LONGEST_REASON = 1000
_UNREADABLE = "What it would do cannot be read now. Load this page again."


@dataclass(frozen=True)
class Asked:
    """Who asks for the panel, and what is known besides the case.

    `seen` is the digest that this person saw, `key` the one-time key of a new form, `blocked` why
    nobody can decide now. `problem` says what became of a decision that was just sent, `reason` is
    what the person had typed.
    """

    identity: Identity
    may_decide: bool
    path: str
    query: str
    key: str
    seen: str = ""
    change: ChangeView | None = None
    problem: str = ""
    reason: str = ""
    blocked: str = ""
    is_earlier: bool = False


@dataclass(frozen=True)
class DecisionPanel:
    """The panel, finished. Without `is_held` it says what was decided, in `over`."""

    state: str
    is_held: bool = False
    may_decide: bool = False
    sentence: str = ""
    due: ShownTime | None = None
    silence: str = ""
    why_held: str = ""
    people: str = ""
    arrivals: str = ""
    digest: str = ""
    key: str = ""
    approve_text: str = ""
    deny_text: str = ""
    approve_path: str = ""
    deny_path: str = ""
    news_path: str = ""
    added_path: str = ""
    has_approved: bool = False
    change: ChangeView | None = None
    problem: str = ""
    reason: str = ""
    blocked: str = ""
    over: str = ""
    over_at: ShownTime | None = None
    over_reason: str = ""
    receipt_path: str = ""


def build_panel(file: CaseFile, asked: Asked, now: datetime, zone: ZoneInfo) -> DecisionPanel:
    """Build the panel of a case, held or decided."""
    panel = DecisionPanel(
        state=file.state, key=asked.key, problem=asked.problem, change=asked.change
    )
    memory = file.case.snapshot
    if memory is not None and file.state == CaseState.HELD and not asked.is_earlier:
        return _fill(panel, file, memory, asked, Clock(now, zone))

    over, over_at, over_reason = _describe_end(file, Clock(now, zone))
    receipt = f"{asked.path}/receipt{asked.query}" if over_at is not None else ""
    return replace(panel, over=over, over_at=over_at, over_reason=over_reason, receipt_path=receipt)


def describe_proposal(proposal: Proposal, memory: CaseSnapshot) -> str:
    """Say in one sentence what an approval does, and to how many messages and mailboxes."""
    actions = list(map(show_mail_text, proposal.actions))
    what = " and ".join([", ".join(actions[:-1]), actions[-1]] if actions[1:] else actions)
    every = memory.all_targets
    mailboxes = {
        canonical_address(target.mailbox)
        for id_ in proposal.messages
        if (target := every.get(id_)) is not None and target.mailbox
    }
    where = f" in {plural_of(len(mailboxes), 'mailbox', 'mailboxes')}" if mailboxes else ""
    return f"Approving acts on {plural(len(proposal.messages), 'message')}{where}: {what}."


def plural_of(count: int, one: str, many: str) -> str:
    """Say how many there are, of a noun whose plural takes more than an s."""
    return f"{count:,} {one if count == 1 else many}"


def _fill(
    panel: DecisionPanel, file: CaseFile, memory: CaseSnapshot, asked: Asked, clock: Clock
) -> DecisionPanel:
    moved = "what was moved aside stays there" if file.count_moved_while_held() else ""
    deadline = (memory.held_at or clock.now) + file.case.timing.approval_timeout
    filled = replace(
        panel,
        is_held=True,
        due=clock.show(deadline),
        silence=f"denied, and {moved or 'nothing is done'}",
        why_held=show_mail_text(memory.guard_refusal or memory.hold_reason),
        arrivals=" · ".join(_count_arrivals(memory, clock.now)),
        reason=asked.reason,
        blocked=asked.blocked,
        approve_path=f"{asked.path}/approve{asked.query}",
        deny_path=f"{asked.path}/deny{asked.query}",
    )
    if (proposal := file.proposal) is None:
        return replace(filled, blocked=asked.blocked or _UNREADABLE)

    approvals = [one.actor.identity.person for one in memory.approvals]
    join = f"{asked.query}&" if asked.query else "?"
    return replace(
        filled,
        may_decide=asked.may_decide and not asked.blocked,
        sentence=describe_proposal(proposal, memory),
        people=_describe_people(proposal, memory),
        digest=proposal.digest,
        approve_text=f"Approve {len(proposal.messages):,}",
        deny_text=f"Deny {len(proposal.messages):,}",
        has_approved=asked.identity.person in approvals,
        news_path=f"{asked.path}/news{join}seen={proposal.digest}",
        added_path=f"{asked.path}/messages{join}seen={asked.seen}"
        if asked.change and asked.change.added_ids
        else "",
    )


def _describe_people(proposal: Proposal, memory: CaseSnapshot) -> str:
    if proposal.needs == 1:
        return "1 person must agree."
    agreed = dict.fromkeys(show_mail_text(one.actor.label) for one in memory.approvals)
    so_far = f"{', '.join(agreed)} agreed so far." if agreed else "Nobody has so far."
    return f"{proposal.needs} people must agree. {so_far}"


def _count_arrivals(memory: CaseSnapshot, now: datetime) -> Iterator[str]:
    """Count what waiting costs: messages that came lately and since the case was held."""
    ages = [(now - at).total_seconds() for at in memory.first_seen.values()]
    if lately := sum(age <= 3600 for age in ages):  # noqa: PLR2004 - an hour
        yield f"{plural(lately, 'message')} in the last hour"
    if memory.arrived_while_held:
        yield f"{memory.arrived_while_held:,} since it was held"


def _describe_end(file: CaseFile, clock: Clock) -> tuple[str, ShownTime | None, str]:
    """Say who ended the wait and how; empty if nobody had to decide."""
    memory = file.case.snapshot
    if memory is None:
        return "", None, ""
    if file.state == CaseState.EXPIRED:
        return "Nobody decided in time, so it was denied", None, ""
    if (undone := memory.undone) is not None:
        return (
            f"Undone by {show_mail_text(undone.actor.label)}",
            clock.show(undone.at),
            show_mail_text(undone.reason, LONGEST_REASON),
        )
    if (decision := memory.decision) is None:
        return "", None, ""

    by = [one.actor.label for one in memory.approvals] if decision.approved else []
    who = " and ".join(map(show_mail_text, dict.fromkeys(by or [decision.actor.label])))
    verb = "Approved" if decision.approved else "Denied"
    return (
        f"{verb} by {who}",
        clock.show(decision.at),
        show_mail_text(decision.reason, LONGEST_REASON),
    )
