"""Turns what is known of cases into answers. Pure."""

from collections.abc import Mapping, Sequence

from clawback.actions.outcomes import is_failed
from clawback.case_files.case_file import CaseFile
from clawback.case_files.message_pages import MessagePage
from clawback.cases import CasePlan, CaseSnapshot, CaseState, Proposal
from clawback.cases.summary import CaseSummary, DecisionNote
from clawback.console.api.answers import (
    ActionOutcomes,
    CaseDetails,
    CaseItem,
    CommentItem,
    DecisionItem,
    Hold,
    MessageItem,
    ProposalAnswer,
    TimelineItem,
    UndoCounts,
)
from clawback.model.messages import Target
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.undo_gateway import UndoSummary

_PREFIX = f"{names.CASE}/"


def describe_line(line: CaseLine) -> CaseItem:
    """Describe a case as a list has it. A part of a campaign is shown as the case."""
    case_id, _ = names.case_and_part(line.id)
    summary = line.summary or CaseSummary(rule=line.rule)
    is_held = line.shown_state == CaseState.HELD
    hold = Hold(
        reason=summary.hold_reason,
        cause=summary.hold_cause,
        since=summary.held_at,
        arrived=summary.arrived_while_held,
        approvals=summary.approvals,
        needs=summary.needs,
        deadline=summary.deadline,
    )
    return CaseItem(
        id=public_id(case_id),
        short_id=names.short_id(case_id),
        run=line.run,
        rule=line.rule,
        level=summary.level,
        title=summary.title,
        state=line.shown_state,
        mode=line.mode,
        opened_at=line.opened_at,
        closed_at=line.closed_at,
        messages=summary.messages,
        mailboxes=summary.mailboxes,
        events=summary.events,
        subject=summary.subject,
        sender=summary.sender,
        sender_name=summary.sender_name,
        authentication=summary.authentication,
        senders=summary.senders,
        hold=hold if is_held else None,
        digest=summary.digest or None,
        proposes=list(summary.proposes),
        outcomes=[
            ActionOutcomes(action=one.action, outcomes=one.outcomes) for one in summary.outcomes
        ],
        failed=sum(
            count
            for one in summary.outcomes
            for outcome, count in one.outcomes.items()
            if is_failed(outcome)
        ),
        changed=summary.changed,
        decision=_describe_note(summary.decision),
        ended_by=_describe_note(summary.undone),
        assignee=summary.assignee,
        comments=summary.comments,
        last_match_at=summary.last_match_at,
        unreadable=line.unreadable,
    )


def describe_file(line: CaseLine, file: CaseFile) -> CaseDetails:
    """Describe one case: its line in a list, and everything else but its messages."""
    snapshot = file.case.snapshot
    known = {"state": file.state, "run": file.run, "decision": _describe_decision(snapshot)}
    return CaseDetails(
        **{**dict(describe_line(line)), **known},
        rule_version=file.plan.version,
        current_rule_version=file.current,
        group=file.plan.group,
        why=list(snapshot.match_reasons) if snapshot else [],
        proposal=_describe_proposal(file.proposal, snapshot),
        undone=None if file.undone is None else describe_undo(file.undone),
        timeline=_describe_timeline(snapshot),
        notes=_describe_comments(snapshot),
        unanswered=dict(file.unanswered),
    )


def describe_messages(plan: CasePlan, page: MessagePage) -> list[MessageItem]:
    """Describe messages of a case in the order in which they came."""
    return [
        _describe_message(target, list(zip(plan.action_names, memory.outcomes, strict=False)))
        for target, memory in page.found
    ]


def describe_undo(summary: UndoSummary) -> UndoCounts:
    """Describe what an undo did."""
    return UndoCounts(done=summary.done, failed=summary.failed, gone=summary.gone)


def public_id(case_id: str) -> str:
    """Return the id of a case as the API names it."""
    return case_id.removeprefix(_PREFIX)


def _describe_message(
    target: Target, named: Sequence[tuple[str, Mapping[str, str]]]
) -> MessageItem:
    outcomes = {name: done[target.id] for name, done in named if target.id in done}
    return MessageItem(
        id=target.id,
        message_id=target.message_id,
        at=target.at,
        verdict=target.verdict,
        sender=target.sender,
        mailbox=target.mailbox,
        subject=target.subject,
        sender_name=target.sender_name,
        spf=target.spf,
        dkim=target.dkim,
        dmarc=target.dmarc,
        quarantined=target.quarantined,
        outcomes=outcomes,
    )


def _describe_proposal(
    proposal: Proposal | None, snapshot: CaseSnapshot | None
) -> ProposalAnswer | None:
    if proposal is None:
        return None
    people = {one.actor.identity.person for one in snapshot.approvals} if snapshot else set()
    return ProposalAnswer(
        digest=proposal.digest,
        actions=list(proposal.actions),
        messages=len(proposal.messages),
        needs=proposal.needs,
        missing=max(proposal.needs - len(people), 0),
    )


def _describe_note(note: DecisionNote | None) -> DecisionItem | None:
    if note is None:
        return None
    return DecisionItem(what=note.what, by=list(note.by), at=note.at, reason=note.reason)


def _describe_decision(snapshot: CaseSnapshot | None) -> DecisionItem | None:
    """Describe what was decided: the snapshot knows it before the summary does."""
    if snapshot is None or snapshot.decision is None:
        return None
    last = snapshot.decision
    people = [one.actor.label for one in (*snapshot.approvals, last) if one.approved]
    return DecisionItem(
        what="approved" if last.approved else "denied",
        by=list(dict.fromkeys(people if last.approved else [last.actor.label])),
        at=last.at,
        reason=last.reason,
    )


def _describe_comments(snapshot: CaseSnapshot | None) -> list[CommentItem]:
    return [
        CommentItem(
            number=one.number,
            at=one.at,
            author=one.author,
            verified=one.is_verified,
            text=one.text,
        )
        for one in (snapshot.comments if snapshot else ())
    ]


def _describe_timeline(snapshot: CaseSnapshot | None) -> list[TimelineItem]:
    entries = snapshot.timeline if snapshot else ()
    shown = set(TimelineItem.model_fields)
    return [TimelineItem(**one.model_dump(include=shown)) for one in entries]
