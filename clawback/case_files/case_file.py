"""The file of one case: why it matched, timeline, outcomes, budget, and what you can do."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.actions import Action, BudgetKind
from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases import (
    CasePlan,
    CaseSnapshot,
    CaseStart,
    CaseState,
    Limit,
    Proposal,
)
from clawback.cases.summary import CaseSummary
from clawback.cases.timeline import TimelineEntry
from clawback.guard import Budgets, GuardSnapshot, Spending
from clawback.model.audit_record import RecordKind
from clawback.model.durations import format_duration
from clawback.model.texts import plural
from clawback.temporal.undo_gateway import UndoSummary

SHOWN = 20
RESERVE = "the reserve for protected people"
"""Whose a budget is that mail to protected people alone takes from."""
_KINDS = {
    RecordKind.CASE_OPENED: "opened",
    RecordKind.EVENT_JOINED: "{count} joined",
    RecordKind.EVENT_REJECTED: "{count} could not be read",
    RecordKind.HELD: "held",
    RecordKind.HOLD_ENDED: "went on by itself",
    RecordKind.APPROVED: "approved by {actor}",
    RecordKind.DENIED: "denied by {actor}",
    RecordKind.EXPIRED: "expired without a decision",
    RecordKind.EXPIRY_WARNED: "expiry warning sent",
    RecordKind.ACTED: "{action}: {count} {outcome}",
    RecordKind.WOULD_HAVE_ACTED: "{action}: would have acted on {count}",
    RecordKind.NOTIFIED: "{action}: {outcome}",
    RecordKind.COMMENTED: "{actor} commented",
    RecordKind.ASSIGNED: "assigned by {actor}",
    RecordKind.UNDO_STARTED: "undo started by {actor}",
    RecordKind.CASE_CLOSED: "closed",
}


@dataclass(frozen=True)
class CaseFile:
    """Everything that people are shown of one case.

    `ended` says how its workflow ended if not by itself (terminated, canceled, failed), `current`
    is the version of its rule now, `unanswered` says why parts of it are missing, by their id.
    `parts` are further parts of the campaign that are only counted.
    """

    case: CaseStart
    run: str
    ended: str | None = None
    closed_at: datetime | None = None
    proposal: Proposal | None = None
    undone: UndoSummary | None = None
    guard: GuardSnapshot | None = None
    limits: tuple[Limit, ...] = ()
    budgets: Budgets = field(default_factory=Budgets)
    current: str | None = None
    link: str | None = None
    unanswered: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[CaseSummary, ...] = ()

    @property
    def plan(self) -> CasePlan:
        """The plan that the case started with."""
        return self.case.plan

    @property
    def state(self) -> str:
        """The state to show."""
        return self.ended or (self.case.snapshot.state if self.case.snapshot else "")

    def as_json(self) -> dict[str, Any]:
        """Return the file as JSON data."""
        return {
            # Whoever has the key of the index can look addresses up by their hashes.
            **self.case.model_dump(mode="json", exclude={"index_key"}),
            "case": self.plan.case_id,
            "run": self.run,
            "state": self.state,
            "closed_at": self.closed_at and self.closed_at.isoformat(),
            "proposal": self.proposal and self.proposal.model_dump(mode="json"),
            "undone": self.undone and self.undone.model_dump(mode="json"),
            "budget": [
                {"of": whose, "limit": str(limit), "spent": spent}
                for whose, limit, spent in self.budget(datetime.now(UTC))
            ],
            "current_rule_version": self.current,
            "temporal_ui": self.link,
            "unanswered": dict(self.unanswered),
        }

    def budget(self, now: datetime) -> Iterator[tuple[str, Limit, int]]:
        """Yield each budget that applies to the case: whose it is, its limit, what is spent."""
        if self.guard is None:
            return
        kinds = {action.budget for action in self.plan.actions}
        if self.plan.while_held is not None:
            kinds.add(BudgetKind.HELD_MESSAGES)
        spending = Spending(self.guard.counters)
        for whose, key, limits in (
            ("the rule", f"rule/{self.plan.rule}", self.limits),
            ("all rules together", "all", self.budgets.overall),
        ):
            for limit in limits:
                if limit.kind in kinds:
                    yield whose, limit, spending.spent(f"{key}/{limit.kind}", limit.per, now)

        for limit in self.budgets.overall:
            if limit.kind in kinds:
                yield from self._shares(limit, spending, now)

    def _shares(
        self, limit: Limit, spending: Spending, now: datetime
    ) -> Iterator[tuple[str, Limit, int]]:
        """Yield the share of the level of the case, and what is kept for protected people."""
        level, shares = self.plan.level, self.budgets.shares
        spent = spending.by_level(limit.kind, limit.per, now)
        most = shares.most_up_to(level, limit.most)
        if most != limit.most:
            used = sum(spent.get(one, 0) for one in level.and_below)
            yield f"the share of level {level}", limit.with_most(most), used
        if kept := shares.reserve(limit.most):
            used = spending.spent(f"protected/{limit.kind}", limit.per, now)
            yield RESERVE, limit.with_most(kept), used

    def lines(self, now: datetime) -> Iterator[tuple[str, str]]:
        """Yield heading and line; the heading is empty where the previous one continues."""
        memory = self.case.snapshot
        yield "case", f"{self.plan.case_id}  {self.plan.title or self.plan.rule}"
        yield "rule", self._rule()
        if memory is None:
            return
        yield "state", self._state_line(memory, now)
        if (assignment := memory.assignment) is not None:
            yield "assigned", f"to {assignment.assignee} by {assignment.by}"
        yield from _headed("not shown", (f"{id_}: {why}" for id_, why in self.unanswered.items()))
        yield from _headed("why", memory.match_reasons)
        if memory.state is CaseState.HELD:
            yield from _headed("messages", _message_lines(memory))
        yield from _headed("comments", _comment_lines(memory))
        yield from _headed("timeline", _timeline(memory.timeline))
        for index, done in enumerate(memory.outcomes):
            more = self._count_in_parts(index)
            # What happens only while a case is held is shown where it has happened.
            if index < len(self.plan.actions) or done or more:
                lines = _outcome_lines(self.plan.all_actions[index], done, more, memory)
                yield from _headed(self.plan.descriptions[index], lines)
        yield from _headed("notifications", _notifications(self.plan, memory))
        yield from _headed(
            "budget",
            (f"{spent:,} of {limit} of {whose}" for whose, limit, spent in self.budget(now)),
        )
        yield from _headed("decide", self._to_decide())
        yield "undo", self._undo(memory)
        if self.case.trace_id:
            yield "trace", self.case.trace_id
        if self.link:
            yield "temporal", self.link

    def _rule(self) -> str:
        changed = (
            f"; now {self.current}, the case keeps its own"
            if self.current not in (None, self.plan.version)
            else ""
        )
        plan = self.plan
        return f"{plan.rule}, {plan.level}, mode {plan.mode}, version {plan.version}{changed}"

    def _state_line(self, memory: CaseSnapshot, now: datetime) -> str:
        ended = (
            memory.timeline[-1].until
            if memory.timeline and memory.state.is_final
            else self.closed_at
        )
        age = (
            f"closed {_format_duration(now - ended)} ago"
            if ended
            else f"open for {_format_duration(now - memory.opened_at)}"
        )
        events = len(memory.events) + sum(part.events for part in self.parts)
        messages = len(memory.targets) + sum(part.messages for part in self.parts)
        refusals = (memory.guard_refusal, *(part.hold_reason for part in self.parts))
        refusal = next((why for why in refusals if why), None)
        held = f" · {refusal}" if memory.state is CaseState.HELD and refusal else ""
        if held and memory.ask_at is not None:
            held += "; goes on by itself when that has ended"
        return f"{self.state}{held} · {events:,} events, {messages:,} messages · {age}"

    def count_outcomes(self, index: int) -> Counter[str]:
        """Count the outcomes of one action of the plan, in all parts."""
        memory = self.case.snapshot
        done = memory.outcomes[index] if memory and index < len(memory.outcomes) else {}
        return Counter(done.values()) + self._count_in_parts(index)

    def _count_in_parts(self, index: int) -> Counter[str]:
        """Count the outcomes of an action in the parts that are only counted."""
        counted = Counter[str]()
        for part in self.parts:
            counted.update(part.outcomes[index].outcomes if index < len(part.outcomes) else {})
        return counted

    def _to_decide(self) -> Iterator[str]:
        if self.proposal is None:
            return
        actions = "; ".join(self.proposal.actions)
        yield f"it would {actions}, for {plural(len(self.proposal.messages), 'message')}"
        more = self.proposal.needs - len(self.case.snapshot.approvals if self.case.snapshot else ())
        yield f"it needs {plural(more, 'approval')}"
        yield f"clawback case approve {self.plan.case_id} --digest {self.proposal.digest}"
        yield f"clawback case deny {self.plan.case_id} --reason '…'"
        if moved := self.count_moved_while_held():
            yield f"denying it returns {plural(moved, 'message')} to the inbox"

    def count_moved_while_held(self) -> int:
        """Count what was moved while the case was held, in all its parts."""
        memory, index = self.case.snapshot, len(self.plan.actions)
        if memory is None or self.plan.while_held is None:
            return 0
        moved = sum(outcome in TOOK_EFFECT for outcome in memory.outcomes[index].values())
        return moved + sum(part.moved_while_held for part in self.parts)

    def _undo(self, memory: CaseSnapshot) -> str:
        if self.undone is not None:
            failed = f", {self.undone.failed} failed" if self.undone.failed else ""
            return f"{self.undone.done:,} actions undone{failed}"
        if memory.state is CaseState.UNDONE:
            return "in progress"
        return (
            f"clawback undo case {self.plan.case_id} --dry-run"
            if memory.applied or any(part.changed for part in self.parts)
            else "nothing to undo"
        )


def _headed(heading: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else heading), line


def _message_lines(memory: CaseSnapshot) -> Iterator[str]:
    """Say what people decide about: of each message its subject, sender, recipient and verdict."""
    targets = memory.all_targets
    for target in list(targets.values())[:SHOWN]:
        name = f'"{target.sender_name}" ' if target.sender_name else ""
        about = (target.verdict or "no verdict", target.authentication)
        yield target.subject or "(no subject)"
        yield f"  {name}{target.sender or 'nobody'} → {target.mailbox or 'nobody'}"
        yield f"  {' · '.join(filter(None, about))}  {target.id}"
    if (left := len(targets) - SHOWN) > 0:
        yield f"and {left:,} more; --json has them all"


def _comment_lines(memory: CaseSnapshot) -> Iterator[str]:
    for comment in memory.comments:
        doubt = "" if comment.is_verified else " (unverified)"
        yield f"{comment.at:%Y-%m-%d %H:%M:%S} UTC  {comment.author}{doubt}"
        yield from (f"  {line}" for line in comment.text.split("\n"))


def _notifications(plan: CasePlan, memory: CaseSnapshot) -> Iterator[str]:
    for one in memory.notifications:
        what = plan.notifications[one.index].describe()
        yield f"{what}: {one.occasion} at {one.at:%H:%M:%S}, {one.outcome or 'in progress'}"


def _timeline(entries: Sequence[TimelineEntry]) -> Iterator[str]:
    day = None
    for entry in entries:
        if entry.at.date() != day:
            day = entry.at.date()
            yield f"{day} UTC"
        until = (
            f" to {entry.until:%H:%M:%S}" if entry.until - entry.at >= timedelta(seconds=1) else ""
        )
        yield f"{entry.at:%H:%M:%S}{until}  {describe_entry(entry)}"


def _who(entry: TimelineEntry) -> str:
    """Name who acted, whether somebody vouches for that, and on whose behalf, as they said."""
    doubt = " (unverified)" if entry.verified is False else ""
    behalf = f" on behalf of {entry.on_behalf_of}" if entry.on_behalf_of else ""
    return f"{entry.actor}{doubt}{behalf}"


def describe_entry(entry: TimelineEntry) -> str:
    """Say in one line what happened; reasons and names of people are as they were given."""
    template = _KINDS.get(entry.kind, entry.kind.replace("_", " "))
    text = template.format(
        count=f"{entry.count:,}", actor=_who(entry), action=entry.action, outcome=entry.outcome
    )
    after = f" → {entry.after}" if entry.after else ""
    # Comments are shown whole, above the timeline.
    detail = entry.detail if entry.kind is not RecordKind.COMMENTED else None
    return f"{text}{after}" + (f": {detail}" if detail else "")


def _outcome_lines(
    action: Action, outcomes: dict[str, str], more: Counter[str], memory: CaseSnapshot
) -> Iterator[str]:
    counted = Counter(outcomes.values()) + more
    yield (
        ", ".join(f"{count:,} {outcome}" for outcome, count in counted.most_common())
        or "nothing yet"
    )
    yield from action.describe_elsewhere(memory.touched(outcomes))
    for subject, outcome in list(outcomes.items())[:SHOWN]:
        target = memory.target(subject)
        whom = (
            f"  {target.mailbox or ''}{f'  from {target.sender}' if target.sender else ''}"
            if target
            else ""
        )
        yield f"  {outcome}  {subject or action.name}{whom}"
    if (left := counted.total() - min(len(outcomes), SHOWN)) > 0:
        yield f"  and {left:,} more; --json has them all"


def _format_duration(lasted: timedelta) -> str:
    seconds = max(int(lasted.total_seconds()), 0)
    # At least two of the unit: 90 s say more than 1m.
    unit = 86_400 if seconds >= 2 * 86_400 else 60 if seconds >= 2 * 60 else 1
    return format_duration(timedelta(seconds=seconds // unit * unit))
