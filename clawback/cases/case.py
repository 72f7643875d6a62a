"""The case as a pure state machine.

Matches, outcomes and answers go in, the next step and the records come out.

No clock and no I/O: the workflow says what time it is, and does what `next` returns. The same
inputs in the same order give the same steps, so a replay does too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from clawback.actions import BudgetKind, Scope
from clawback.actions.outcomes import TOOK_EFFECT, WOULD, failed
from clawback.cases.approvals import person, proposal, still_wanted, what_changed
from clawback.cases.case_notifications import CaseNotifications
from clawback.cases.pending_actions import pending_acts, precheck, search_due, undecided
from clawback.cases.plan import CasePlan, Match
from clawback.cases.state import (
    ActionStep,
    AppliedAction,
    CaseSnapshot,
    CaseState,
    CaseTiming,
    CloseStep,
    Decision,
    NotificationStep,
    Proposal,
    SearchStep,
    Step,
    WaitStep,
)
from clawback.cases.timeline import Timeline
from clawback.correlation.sliding_window import find_window
from clawback.correlation.window_buffer import WindowBuffer
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.model.texts import bounded

BATCH = 1000
"""Messages in one move: the most the API takes (reference §1.3)."""
MOST_TARGETS = 20_000
"""Messages of one case.

A case that has settled this many closes at once, and the campaign goes on in a new one.
"""


class NotHeld(ValueError):
    """An answer to a case that is not waiting for one; the text says where it stands."""


class Case:
    """One case.

    Build it with the plan and either a new memory (`Case.open`) or the one a former run left.
    """

    def __init__(self, plan: CasePlan, pace: CaseTiming, memory: CaseSnapshot) -> None:
        self.plan = plan
        self._pace = pace
        self._uid = memory.uid
        self.state = memory.state
        self._closed_from = CaseState.SETTLED
        self._opened_at = memory.opened_at
        self._touched_at = memory.touched_at
        self._records = memory.records
        self._events = dict(memory.events)
        self._sightings = WindowBuffer(memory.sightings)
        self._targets = dict(memory.targets)
        self._seen_at = dict(memory.seen_at)
        self._handled = set(memory.handled)
        self._outcomes = [dict(done) for done in memory.outcomes] or [{} for _ in plan.actions]
        self._held_at = memory.held_at
        self._decision = memory.decision
        self._approvals = list(memory.approvals)
        self._held_back = memory.hold
        self._warned = memory.warned
        self._spent = memory.spent
        self._done = list(memory.done)
        self._acting = memory.acting
        self._found = dict(memory.found)
        self._why = memory.why
        self._journal = Timeline(memory.journal)
        self._held_for = memory.held_for
        self.notifications = CaseNotifications(plan, memory)
        self._unwritten = list(memory.unwritten)

    @classmethod
    def open(cls, plan: CasePlan, pace: CaseTiming, uid: str, now: datetime) -> "Case":
        """Start a case; `uid` is unique for ever (a case id may come back when the first is closed)."""
        state = CaseState.WATCHING if plan.watch else CaseState.RESPONDING
        case = cls(plan, pace, CaseSnapshot(uid=uid, state=state, opened_at=now, touched_at=now))
        case._note(RecordKind.CASE_OPENED, now)
        return case

    # ---- what goes in

    def take(self, match: Match, now: datetime) -> bool:
        """Take in one matched event; False if the case already had it."""
        if match.key in self._events:
            return self._sightings.is_news(match) and self._sight(match)
        if self.state is CaseState.CLOSED:
            self.state = self._closed_from
        self._events[match.key] = match.at
        self._touched_at = now
        self._why = self._why or match.why
        self._ask_again()
        self._sight(match)
        self.notifications.add_reporter(match)
        self._note(RecordKind.EVENT_JOINED, now, event=match.key)
        for target in match.targets:
            self._targets.setdefault(target.id, target)
            self._seen_at.setdefault(target.id, match.seen_at)
        if match.handled:
            self._handled.update(target.id for target in match.targets)
        if not match.targets:
            self._note_untargeted(match, now)
        return True

    def _sight(self, match: Match) -> bool:
        return self.state is CaseState.WATCHING and self._sightings.take(match)

    def reject(self, raw: str, why: str, now: datetime) -> None:
        """Record a match that could not be read."""
        self._note(RecordKind.EVENT_REJECTED, now, detail=f"{why}: {raw}")

    def not_held(self) -> str | None:
        """Say why nobody can answer now; None where the case waits for an answer."""
        if self.state is CaseState.HELD:
            return None
        who = (
            f", {'approved' if self._decision.approved else 'denied'} by {self._decision.by}"
            if self._decision
            else ""
        )
        return f"the case is {self.state}{who}: there is nothing to answer"

    def not_approvable(self, by: str, shown: str) -> str | None:
        """Say why somebody cannot approve what they were shown; None where they can."""
        if (problem := self.not_held()) is not None:
            return problem
        if any(person(one.by) == person(by) for one in self._approvals):
            return f"{by} has approved this already: another person must agree too"
        return what_changed(self.proposal(), shown)

    def decide(self, decision: Decision) -> None:
        """Take a person's answer.

        An approval lets the case act when as many people have agreed as must.

        Raises:
            NotHeld: nobody was asked, or somebody has answered already.

        """
        if (problem := self.not_held()) is not None:
            raise NotHeld(problem)
        wanted = 0
        if decision.approved:
            self._approvals.append(decision)
            wanted = still_wanted(self._approvals, self.proposal().needs)
        kind = RecordKind.APPROVED if decision.approved else RecordKind.DENIED
        said = " · ".join(
            filter(None, (bounded(decision.reason), f"{wanted} more must agree" if wanted else ""))
        )
        self._note(kind, decision.at, actor=bounded(decision.by, 120), detail=said or None)
        if wanted:
            return
        self._decision = decision
        self._held_back, self._warned, self._spent = None, False, 0
        if not decision.approved:
            self._refuse_all("denied", decision.at)
        self.state = CaseState.RESPONDING if decision.approved else CaseState.DENIED

    def hold_back(self, reason: str) -> None:
        """Note that the guard refused the act that was asked for: people must agree first."""
        self._held_back = reason

    def begin(self, act: ActionStep) -> None:
        """Note that an act is under way.

        Should the case be ended from outside, it may have taken effect.
        """
        self._acting = act

    def settle(self, act: ActionStep, outcomes: Mapping[str, str], now: datetime) -> None:
        """Take what became of an act: one outcome for each of its messages (or for its pattern)."""
        self._acting = None
        for target, outcome in outcomes.items():
            self._seen_at.pop(target, None)
            self._outcomes[act.index][target] = outcome
            changed = self._change(act, target) if outcome in TOOK_EFFECT else {}
            self._note(
                RecordKind.ACTED,
                now,
                action=act.action.name,
                target=target,
                outcome=outcome,
                **changed,
            )
        if effective := tuple(
            target for target, outcome in outcomes.items() if outcome in TOOK_EFFECT
        ):
            self._done.append(AppliedAction(index=act.index, at=now, subjects=effective))
            self._spent += len(effective) if act.action.budget is BudgetKind.MESSAGES else 0

    def end_notification(self, number: int, outcome: str, now: datetime) -> None:
        """Note the outcome of a notification. Its own workflow has written the audit record."""
        if (action := self.notifications.end(number, outcome)) is not None:
            self._journal.note(
                AuditRecord(
                    id="", at=now, kind=RecordKind.NOTIFIED, action=action.name, outcome=outcome
                )
            )

    def found(
        self, search: SearchStep, targets: Sequence[Target], problem: str | None, now: datetime
    ) -> None:
        """Take what a search found, less what the case has already.

        Or why nothing may come of it.
        """
        self._found[search.index] = tuple(
            target for target in targets if target.id not in self._targets
        )
        if problem is not None:
            self._outcomes[search.index][""] = failed(problem)
            self._note(RecordKind.ACTED, now, action=search.action.name, outcome=failed(problem))

    def undo(self, by: str, reason: str, now: datetime) -> None:
        """End the case because all it did is being taken back.

        What is still to be done is refused.
        """
        if self.state.is_final:
            return
        self._note(
            RecordKind.UNDO_STARTED, now, actor=bounded(by, 120), detail=bounded(reason) or None
        )
        self.state = CaseState.UNDONE

    # ---- what comes out

    def next(self, now: datetime) -> Step:
        """Say what to do now, actions before notifications. Call it again after every change."""
        work = self._work(now)
        while (
            isinstance(step := self._notification_before(work, now), NotificationStep)
            and self.plan.mode is Mode.SHADOW
        ):
            self.notifications.begin(step, now, WOULD)
            self._note(
                RecordKind.WOULD_HAVE_ACTED, now, action=step.action.name, target=step.recipient
            )
        return step

    def _work(self, now: datetime) -> Step:
        if self.state.is_final:
            if self.state is CaseState.UNDONE:
                self._refuse_all(self.state, now)
            return CloseStep(state=self.state)
        if self.state.is_refused:
            self._refuse_all(self.state, now)
            return self._wait_or_close(now)
        if self.state is CaseState.WATCHING and not self._threshold_met(now):
            return self._wait_or_close(now)
        return self._response(now)

    def _response(self, now: datetime) -> Step:
        if self._events and (search := search_due(self.plan, self._found)) is not None:
            return search
        while (act := self._pending()) is not None:
            if certain := precheck(act, self.plan, self._handled):
                self.settle(act, certain, now)
            elif self.plan.mode is Mode.SHADOW:
                self._record_only(act, now)
            elif self._decision is None and (reason := self._wants_people(act)) is not None:
                return self._hold(reason, now)
            else:
                self.state = CaseState.RESPONDING
                return act.model_copy(update={"approved": self._decision is not None})
        self.state = CaseState.SETTLED
        return self._wait_or_close(now)

    def _notification_before(self, work: Step, now: datetime) -> Step:
        if not self.plan.notifications or isinstance(work, ActionStep | SearchStep):
            return work
        stands = self._closed_from if self.state is CaseState.CLOSED else self.state
        return self.notifications.due_before(work, self.memory(), stands, now, self._pace.patience)

    def memory(self) -> CaseSnapshot:
        """All the case knows, for the next run and for undo."""
        return CaseSnapshot(
            uid=self._uid,
            state=self.state,
            opened_at=self._opened_at,
            touched_at=self._touched_at,
            records=self._records,
            events=self._events,
            sightings=tuple(self._sightings.kept),
            targets=self._targets,
            seen_at=self._seen_at,
            handled=frozenset(self._handled),
            outcomes=tuple(self._outcomes),
            held_at=self._held_at,
            decision=self._decision,
            approvals=tuple(self._approvals),
            hold=self._held_back,
            warned=self._warned,
            spent=self._spent,
            done=tuple(self._done),
            acting=self._acting,
            found=self._found,
            why=self._why,
            journal=self._journal.entries,
            held_for=self._held_for,
            notifications=tuple(self.notifications.deliveries),
            reporters=tuple(self.notifications.reporters),
            unwritten=tuple(self._unwritten),
        )

    def proposal(self) -> Proposal:
        """Say what would be done if the case were approved now."""
        acts = list(undecided(self._pending_acts(MOST_TARGETS), self.plan, self._handled))
        needs = max((act.action.approvers for act in acts), default=1)
        return proposal(
            self.plan,
            [(act, act.action.describe_in_full()) for act in acts],
            [act.subjects for act in acts],
            needs,
        )

    @property
    def spent(self) -> int:
        """Messages touched since people last looked at the case."""
        return self._spent

    @property
    def idle_until(self) -> datetime:
        """When the case closes, if nothing more arrives and nothing is left to do."""
        window = (
            self.plan.watch.reach
            if self.plan.watch and self.state is CaseState.WATCHING
            else timedelta()
        )
        return self._touched_at + self._pace.linger + window

    @property
    def is_full(self) -> bool:
        """Whether the case has all the messages it takes: once settled it closes at once."""
        return len(self._targets) >= MOST_TARGETS

    def take_records(self) -> tuple[AuditRecord, ...]:
        """Hand over the records made since the last call."""
        records, self._unwritten = tuple(self._unwritten), []
        return records

    def seen_at(self, targets: Iterable[Target]) -> dict[str, datetime]:
        """When each message was first seen, for measuring how long the response took."""
        return {
            target.id: self._seen_at[target.id] for target in targets if target.id in self._seen_at
        }

    # ---- inside

    def _threshold_met(self, now: datetime) -> bool:
        window = find_window(self.plan.watch, self._sightings.kept) if self.plan.watch else ()
        if window is None:
            return False
        self._sightings = WindowBuffer(())
        self.state = CaseState.RESPONDING
        self._note(
            RecordKind.THRESHOLD_MET,
            now,
            detail=f"{len(window)} events from {window[0].at:%FT%TZ} to {window[-1].at:%FT%TZ}",
        )
        return True

    def _ask_again(self) -> None:
        """Something came that nobody has agreed to yet."""
        self._decision, self._approvals = None, []
        if self.state is not CaseState.HELD:
            self._held_back = None

    def _wants_people(self, act: ActionStep) -> str | None:
        if (reason := act.action.approval_reason) is not None:
            return reason
        if self.plan.mode is Mode.APPROVE:
            return "the rule asks for approval"
        return self._held_back

    def _pending(self) -> ActionStep | None:
        return next(self._pending_acts(BATCH), None)

    def _pending_acts(self, most: int) -> Iterator[ActionStep]:
        return (
            pending_acts(self.plan, self._outcomes, self._targets, self._found, most)
            if self._events
            else iter(())
        )

    def _hold(self, reason: str, now: datetime) -> Step:
        if self.state is not CaseState.HELD:
            self._held_at, self._held_for, self.state = now, reason, CaseState.HELD
            self._note(RecordKind.HELD, now, detail=bounded(reason))
        until = (self._held_at or now) + self._pace.patience
        if now < until:
            return WaitStep(until=self._warned_by(until, now))
        self._note(RecordKind.EXPIRED, now)
        self.state = CaseState.EXPIRED
        self._refuse_all(self.state, now)
        return self._wait_or_close(now)

    def _warned_by(self, until: datetime, now: datetime) -> datetime:
        """Notify people once before their time is up.

        The moment until which there is nothing to do.
        """
        if self._warned or self._pace.patience <= self._pace.warning:
            return until
        if now < (warn_at := until - self._pace.warning):
            return warn_at
        self._warned = True
        self._note(
            RecordKind.EXPIRY_WARNED,
            now,
            detail=f"is denied at {until:%FT%TZ} unless somebody answers",
        )
        return until

    def _wait_or_close(self, now: datetime) -> Step:
        if now < self.idle_until and not self.is_full:
            return WaitStep(until=self.idle_until)
        ended = self.state if self.state.is_refused else CaseState.CLOSED
        self._note(RecordKind.CASE_CLOSED, now, detail=f"was {self.state}")
        self._closed_from, self.state = self.state, CaseState.CLOSED
        return CloseStep(state=ended)

    def _change(self, act: ActionStep, subject: str) -> dict[str, str | None]:
        target = next((target for target in act.targets if target.id == subject), None)
        return act.action.audit_change(target)

    def _record_only(self, act: ActionStep, now: datetime) -> None:
        for target in act.subjects:
            self._outcomes[act.index][target] = WOULD
            self._note(RecordKind.WOULD_HAVE_ACTED, now, action=act.action.name, target=target)

    def _refuse_all(self, reason: str, now: datetime) -> None:
        while (act := self._pending()) is not None:
            self.settle(act, dict.fromkeys(act.subjects, failed(reason)), now)

    def _note_untargeted(self, match: Match, now: datetime) -> None:
        for action in self.plan.actions:
            if action.scope is Scope.MESSAGE:
                self._note(
                    RecordKind.ACTED,
                    now,
                    event=match.key,
                    action=action.name,
                    outcome=failed("no_message"),
                )

    def _note(self, kind: RecordKind, now: datetime, **said: str | None) -> None:
        self._records += 1
        record = AuditRecord(
            id=f"{self._uid}/{self._records}",
            at=now,
            kind=kind,
            rule=self.plan.rule,
            rule_version=self.plan.version,
            case=self.plan.case_id,
            mode=self.plan.mode,
            **said,
        )
        self._unwritten.append(record)
        self._journal.note(record)
