"""How one case reads: what it is, why it matched, what happened, what was done to whom, and what can be done about it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.actions import Action
from clawback.cases import (
    CasePlan,
    CaseSnapshot,
    CaseStart,
    CaseState,
    Limit,
    Proposal,
)
from clawback.cases.timeline import TimelineEntry
from clawback.guard import GuardSnapshot
from clawback.guard.sliding_counter import SlidingCounter
from clawback.model.audit_record import RecordKind
from clawback.model.durations import format_duration
from clawback.temporal.undo_gateway import UndoSummary

SHOWN = 20
_KINDS = {
    RecordKind.CASE_OPENED: "opened",
    RecordKind.EVENT_JOINED: "{count} joined",
    RecordKind.EVENT_REJECTED: "{count} could not be read",
    RecordKind.THRESHOLD_MET: "the threshold is met",
    RecordKind.HELD: "held",
    RecordKind.APPROVED: "approved by {actor}",
    RecordKind.DENIED: "denied by {actor}",
    RecordKind.EXPIRED: "expired: nobody answered",
    RecordKind.EXPIRY_WARNED: "people were warned",
    RecordKind.ACTED: "{action}: {count} {outcome}",
    RecordKind.WOULD_HAVE_ACTED: "{action}: would have acted on {count}",
    RecordKind.NOTIFIED: "{action}: {outcome}",
    RecordKind.UNDO_STARTED: "undo started by {actor}",
    RecordKind.CASE_CLOSED: "closed",
}
STYLES: Mapping[str, str] = {
    CaseState.HELD: "bold yellow",
    CaseState.RESPONDING: "cyan",
    CaseState.WATCHING: "blue",
    CaseState.SETTLED: "green",
    CaseState.CLOSED: "dim",
    CaseState.DENIED: "red",
    CaseState.EXPIRED: "red",
    CaseState.UNDONE: "magenta",
}


@dataclass(frozen=True)
class CasePage:
    """Everything that is shown of one case.

    `ended` is how it ended if not by itself, `current` the version of its rule now.
    """

    case: CaseStart
    run: str
    ended: str | None = None
    closed_at: datetime | None = None
    proposal: Proposal | None = None
    undone: UndoSummary | None = None
    guard: GuardSnapshot | None = None
    limits: tuple[Limit, ...] = ()
    overall: tuple[Limit, ...] = ()
    current: str | None = None
    link: str | None = None

    @property
    def plan(self) -> CasePlan:
        """What it was told when it started."""
        return self.case.plan

    @property
    def state(self) -> str:
        """Where it stands, as people should read it."""
        return self.ended or (self.case.memory.state if self.case.memory else "")

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            **self.case.model_dump(mode="json"),
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
        }

    def budget(self, now: datetime) -> Iterator[tuple[str, Limit, int]]:
        """What of each budget that the case is measured by is spent."""
        kinds = {action.budget for action in self.plan.actions}
        for whose, key, limits in (
            ("the rule", f"rule/{self.plan.rule}", self.limits),
            ("all rules together", "all", self.overall),
        ):
            for limit in limits:
                if limit.kind in kinds and self.guard is not None:
                    tally = self.guard.tallies.get(f"{key}/{limit.kind}", SlidingCounter())
                    yield whose, limit, tally.spent(limit.per, now)

    def lines(self, now: datetime) -> Iterator[tuple[str, str]]:
        """The page: a heading (empty where the one before goes on) and a line."""
        memory = self.case.memory
        yield "case", f"{self.plan.case_id}  {self.plan.title or self.plan.rule}"
        yield "rule", self._rule()
        if memory is None:
            return
        yield "state", self._standing(memory, now)
        yield from _headed("why", memory.why)
        yield from _headed("timeline", _timeline(memory.journal))
        for action, done in zip(self.plan.actions, memory.outcomes, strict=False):
            yield from _headed(action.describe(), _done(action, done, memory))
        yield from _headed("notifications", _notifications(self.plan, memory))
        yield from _headed(
            "budget",
            (f"{spent:,} of {limit} of {whose}" for whose, limit, spent in self.budget(now)),
        )
        yield from _headed("to decide", self._to_decide())
        yield "undo", self._undo(memory)
        if self.link:
            yield "temporal", self.link

    def _rule(self) -> str:
        changed = (
            f"; it is {self.current} now, the case keeps its own"
            if self.current not in (None, self.plan.version)
            else ""
        )
        return f"{self.plan.rule}, {self.plan.level}, mode {self.plan.mode}, version {self.plan.version}{changed}"

    def _standing(self, memory: CaseSnapshot, now: datetime) -> str:
        ended = (
            memory.journal[-1].until if memory.journal and memory.state.is_final else self.closed_at
        )
        age = (
            f"closed {_ago(now - ended)} ago"
            if ended
            else f"open for {_ago(now - memory.opened_at)}"
        )
        counts = f"{len(memory.events):,} events, {len(memory.targets):,} messages"
        held = f" · {memory.hold}" if memory.state is CaseState.HELD and memory.hold else ""
        return f"{self.state}{held} · {counts} · {age}"

    def _to_decide(self) -> Iterator[str]:
        if self.proposal is None:
            return
        yield f"it would {'; '.join(self.proposal.actions)}, for {len(self.proposal.messages):,} messages"
        more = self.proposal.needs - len(self.case.memory.approvals if self.case.memory else ())
        yield f"{more} {'people' if more > 1 else 'person'} must agree"
        yield f"clawback case approve {self.plan.case_id} --digest {self.proposal.digest}"
        yield f"clawback case deny {self.plan.case_id} --reason '…'"

    def _undo(self, memory: CaseSnapshot) -> str:
        if self.undone is not None:
            failed = f", {self.undone.failed} could not be" if self.undone.failed else ""
            return f"{self.undone.done:,} things were taken back{failed}"
        if memory.state is CaseState.UNDONE:
            return "is under way"
        return (
            f"clawback undo case {self.plan.case_id} --dry-run"
            if memory.done
            else "there is nothing to take back"
        )


def _headed(heading: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else heading), line


def _notifications(plan: CasePlan, memory: CaseSnapshot) -> Iterator[str]:
    for one in memory.notifications:
        yield f"{plan.notifications[one.index].describe()}: {one.occasion} at {one.at:%H:%M:%S}, {one.outcome or 'under way'}"


def _timeline(entries: Sequence[TimelineEntry]) -> Iterator[str]:
    day = None
    for entry in entries:
        if entry.at.date() != day:
            day = entry.at.date()
            yield f"{day} UTC"
        until = (
            f" to {entry.until:%H:%M:%S}" if entry.until - entry.at >= timedelta(seconds=1) else ""
        )
        yield f"{entry.at:%H:%M:%S}{until}  {_told(entry)}"


def _told(entry: TimelineEntry) -> str:
    template = _KINDS.get(entry.kind, entry.kind.replace("_", " "))
    said = template.format(
        count=f"{entry.count:,}", actor=entry.actor, action=entry.action, outcome=entry.outcome
    )
    after = f" → {entry.after}" if entry.after else ""
    return f"{said}{after}" + (f": {entry.detail}" if entry.detail else "")


def _done(action: Action, outcomes: dict[str, str], memory: CaseSnapshot) -> Iterator[str]:
    counted = Counter(outcomes.values())
    yield (
        ", ".join(f"{count:,} {outcome}" for outcome, count in counted.most_common())
        or "nothing yet"
    )
    for subject, outcome in list(outcomes.items())[:SHOWN]:
        target = memory.target(subject)
        whom = (
            f"  {target.mailbox or ''}{f'  from {target.sender}' if target.sender else ''}"
            if target
            else ""
        )
        yield f"  {outcome}  {subject or action.name}{whom}"
    if len(outcomes) > SHOWN:
        yield f"  and {len(outcomes) - SHOWN:,} more; --json has them all"


def _ago(lasted: timedelta) -> str:
    seconds = max(int(lasted.total_seconds()), 0)
    unit = 86_400 if seconds >= 2 * 86_400 else 60 if seconds >= 120 else 1  # noqa: PLR2004 - two of the larger unit
    return format_duration(timedelta(seconds=seconds // unit * unit))
