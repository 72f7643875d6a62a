"""The page of one case, from the sentence of what will be done to its timeline."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clawback.case_files.case_file import CaseFile, describe_entry
from clawback.cases import CaseState
from clawback.cases.clauses import split_reason
from clawback.cases.notes import LONGEST_COMMENT
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.blocks import CaseBlock
from clawback.console.views.budget_rows import BudgetRow, build_budgets
from clawback.console.views.clause_scores import ClauseScores, score_clauses
from clawback.console.views.correlation_chart import CorrelationChart, build_chart
from clawback.console.views.decision_panel import Asked, DecisionPanel, build_panel, plural_of
from clawback.console.views.inbox import HELD_FOR
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.message_rows import MessageRow, PresentForm, RowContext, build_rows
from clawback.console.views.related_cases import RelatedCases, build_related
from clawback.console.views.times import Clock, ShownTime
from clawback.console.views.way_back import describe_way_back
from clawback.model.messages import Target
from clawback.model.texts import plural
from clawback.temporal import names
from clawback.temporal.undo_gateway import UndoneAction

_LONGEST_ENTRY = 500


@dataclass(frozen=True)
class Reason:
    """One clause of the rule that was true, the value that made it so, and how it did so far."""

    clause: str
    value: str
    score: str


@dataclass(frozen=True)
class TimelineLine:
    """One line of the timeline."""

    at: ShownTime
    text: str


@dataclass(frozen=True)
class CommentLine:
    """What somebody wrote about the case."""

    at: ShownTime
    by: str
    text: str


@dataclass(frozen=True)
class ShownLooker:
    """Somebody else who looked at the case lately."""

    who: str
    at: ShownTime


@dataclass(frozen=True)
class MoreLinks:
    """What else people can do with the case; empty where it does not apply."""

    assign_path: str = ""
    comment_path: str = ""
    undo_path: str = ""
    exception_path: str = ""
    blocks_path: str = ""
    audit_path: str = ""
    rule_path: str = ""
    compare_path: str = ""
    cloudflare: str = ""
    temporal: str = ""
    trace_id: str = ""
    data_path: str = ""


@dataclass(frozen=True)
class CaseView:
    """The whole page."""

    id: str
    short_id: str
    state: str
    held_for: str
    level: str
    mode: str
    rule: str
    rule_title: str
    rule_change: str
    subject: str
    sender: str
    sender_name: str
    authentication: str
    more_senders: str
    opened: ShownTime
    counts: str
    panel: DecisionPanel
    assignee: str
    is_mine: bool
    reasons: tuple[Reason, ...]
    chart: CorrelationChart | None
    messages: tuple[MessageRow, ...]
    messages_text: str
    messages_path: str
    present: PresentForm
    related: RelatedCases | None
    budgets: tuple[BudgetRow, ...]
    way_back: tuple[str, ...]
    blocks: tuple[CaseBlock, ...]
    key: str
    outcomes: tuple[str, ...]
    timeline: tuple[TimelineLine, ...]
    comments: tuple[CommentLine, ...]
    lookers: tuple[ShownLooker, ...]
    more: MoreLinks
    unanswered: tuple[str, ...]
    may_write: bool


@dataclass(frozen=True)
class CaseFacts:
    """What the page is built from, besides the file of the case.

    `undone` is how undos went lately, by action; None if that is not known yet.
    """

    file: CaseFile
    asked: Asked
    clock: Clock
    listed: ListedCase | None
    every: Iterable[ListedCase]
    more: MoreLinks
    rows: RowContext | None
    first: tuple[Target, ...]
    present: PresentForm
    lookers: tuple[ShownLooker, ...] = ()
    undone: Mapping[str, UndoneAction] | None = None
    blocks: tuple[CaseBlock, ...] = ()


def build_case(facts: CaseFacts) -> CaseView:
    """Build the page."""
    file, clock, plan = facts.file, facts.clock, facts.file.plan
    memory = file.case.snapshot
    assert memory is not None  # noqa: S101 - a case that answers has one
    first = next(iter(memory.all_targets.values()), None)
    senders = len({one.sender for one in memory.all_targets.values() if one.sender})
    is_open = not memory.state.is_final and file.ended is None and not facts.asked.is_earlier
    return CaseView(
        id=plan.case_id,
        short_id=names.short_id(plan.case_id),
        state=file.state,
        held_for=HELD_FOR.get(memory.hold_cause, "")
        if memory.hold_cause and file.state == CaseState.HELD
        else "",
        level=plan.level,
        mode=plan.mode,
        rule=plan.rule,
        rule_title=plan.title or plan.rule,
        rule_change=_describe_version(file),
        subject=(show_mail_text(first.subject) if first else "") or "(no subject)",
        sender=(show_address(first.sender) if first else "") or "(no sender)",
        sender_name=show_mail_text(first.sender_name) if first else "",
        authentication=show_mail_text(first.authentication) if first else "",
        more_senders=f"and {senders - 1:,} more senders" if senders > 1 else "",
        opened=clock.show(memory.opened_at),
        counts=count_messages(file),
        panel=build_panel(file, facts.asked, clock.now, clock.zone),
        assignee=show_mail_text(memory.assignment.assignee) if memory.assignment else "",
        is_mine=memory.assignment is not None
        and memory.assignment.assignee_id == facts.asked.identity.id,
        reasons=tuple(_build_reasons(memory.match_reasons, _score(facts))),
        chart=build_chart(file.case, clock),
        messages=build_rows(facts.first, facts.rows) if facts.rows else (),
        messages_text=count_messages(file),
        messages_path=f"{facts.asked.path}/messages{facts.asked.query}",
        present=facts.present,
        related=build_related(facts.listed, facts.every, clock) if facts.listed else None,
        budgets=build_budgets(file, clock.now),
        way_back=tuple(describe_way_back(plan.actions, facts.undone)) if file.proposal else (),
        blocks=facts.blocks,
        key=plan.case_id.removeprefix(f"{names.CASE}/"),
        outcomes=tuple(_summarize_outcomes(file)),
        timeline=tuple(
            TimelineLine(clock.show(one.at), show_mail_text(describe_entry(one), _LONGEST_ENTRY))
            for one in memory.timeline
        ),
        comments=tuple(
            CommentLine(
                clock.show(one.at),
                show_mail_text(one.author) + ("" if one.is_verified else " (unverified)"),
                show_mail_text(one.text, LONGEST_COMMENT),
            )
            for one in memory.comments
        ),
        lookers=facts.lookers,
        more=facts.more,
        unanswered=tuple(show_mail_text(f"{id_}: {why}") for id_, why in file.unanswered.items()),
        may_write=facts.asked.may_decide and is_open,
    )


def _describe_version(file: CaseFile) -> str:
    """Say that the rule has changed since the case opened; empty if not, or if nobody knows."""
    if file.current is None or file.current == file.plan.version:
        return ""
    return (
        f"The rule has changed since: the case keeps version {file.plan.version}, loaded is "
        f"{file.current}."
    )


def count_messages(file: CaseFile) -> str:
    """Count messages and mailboxes of a case with all its parts."""
    memory = file.case.snapshot
    if memory is None:
        return ""
    messages = len(memory.all_targets) + sum(part.messages for part in file.parts)
    mailboxes = len({one.mailbox for one in memory.all_targets.values() if one.mailbox})
    at_least = "at least " if file.parts else ""
    return (
        f"{plural(messages, 'message')} in {at_least}{plural_of(mailboxes, 'mailbox', 'mailboxes')}"
    )


def _score(facts: CaseFacts) -> ClauseScores:
    own = facts.listed.key if facts.listed else None
    others = (one for one in facts.every if one.key != own)
    return score_clauses(facts.file.plan.rule, others, facts.clock.now)


def _build_reasons(reasons: Iterable[str], scores: ClauseScores) -> Iterator[Reason]:
    for reason in reasons:
        clause, value = map(show_mail_text, split_reason(reason))
        yield Reason(clause, value, scores.describe(reason))


def _summarize_outcomes(file: CaseFile) -> Iterator[str]:
    """Say what each action did, counted."""
    memory = file.case.snapshot
    if memory is None:
        return
    for index, described in enumerate(file.plan.descriptions):
        counted = file.count_outcomes(index)
        if counted:
            each = ", ".join(f"{count:,} {name}" for name, count in counted.most_common())
            yield show_mail_text(f"{described}: {each.replace('_', ' ')}", _LONGEST_ENTRY)
