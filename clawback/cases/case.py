"""The case as a pure state machine: matches, outcomes and decisions in, steps and records out.

It has no clock and no I/O: the workflow says what time it is and does what `next` returns. The same
inputs in the same order give the same steps, so replay does too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from clawback.actions.outcomes import MOVED, WOULD, failed
from clawback.cases.approvals import NotHeld
from clawback.cases.case_base import CaseBase
from clawback.cases.hold_cause import HoldCause
from clawback.cases.notes import AssignTo
from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan, Match
from clawback.cases.state import (
    ActionStep,
    Campaign,
    CaseSnapshot,
    CaseState,
    CloseStep,
    Decision,
    JoinStep,
    KnownMatches,
    NotificationStep,
    Placement,
    SearchStep,
    Step,
    StepPurpose,
    UndoStart,
    WaitStep,
)
from clawback.cases.timing import CaseTiming
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.model.texts import bounded

_PATIENCE = timedelta(seconds=30)
"""How long the message that a case is held, or was denied, waits for what follows from that."""
_MOST_NOTIFYING = 17
"""The last part that notifies people when it is held."""


class Case(CaseBase):
    """One campaign under one rule. Start one with `Case.open`, or continue from a snapshot."""

    @classmethod
    def open(  # noqa: PLR0913 - what a case starts with
        cls,
        plan: CasePlan,
        timing: CaseTiming,
        uid: str,
        now: datetime,
        *,
        part: int = 1,
        campaign: Campaign | None = None,
        limit: int | None = None,
        window: str | None = None,
    ) -> "Case":
        """Start a case. `uid` is unique for ever; a case id is used again after its case closed.

        `limit` is the room for its matches, in bytes; a part of number `part` has only the actions
        on single messages, the first one all of them. `campaign` is what a part gets from the one
        that it goes on from. `window` describes the correlation window that opens it.
        """
        snapshot = CaseSnapshot(
            uid=uid,
            state=CaseState.RESPONDING,
            opened_at=now,
            last_match_at=now,
            campaign=campaign,
        )
        case = cls(plan, timing, snapshot, part, limit)
        case._note(RecordKind.CASE_OPENED, now, detail=window)
        return case

    # ---- inputs: matches and outcomes

    def add_match(self, match: Match, now: datetime) -> bool:
        """Add one match; False if the case had it already, or has no room for it."""
        if match.key in self.messages.events:
            # It comes again where the rule has changed, and still matches.
            self.messages.note_condition(match)
            return False

        if self.state is CaseState.CLOSED:
            self.state = self.closed_from
        if not self.parts.has_room(match):
            self._pass_on(match, now)
            return False
        self.messages.add_match(match)
        self._last_match_at = now
        self._approval.reset(self.state)
        self.notifications.add_reporter(match)
        self._note(RecordKind.EVENT_JOINED, now, event=match.key)
        if not match.targets:
            self._recorder.note_missing_message(match, now)
        return True

    def place(self, matches: Sequence[MatchSize], now: datetime) -> Placement | None:
        """Say which part takes each match; None if they are for this part to deal with.

        A match that this part has is for itself: it comes again.
        """
        if not self.parts.is_full or self.state.is_final or self.state.is_refused:
            return None

        self._last_match_at = now
        return Placement(
            plan=self.plan,
            timing=self._timing,
            campaign=self.actions.current_campaign,
            parts=self.parts.place_all(matches, self.messages.events),
        )

    def find_known(self, keys: Sequence[str]) -> KnownMatches:
        """Say which matches this part has, and which parts to ask about others."""
        return self.parts.find_all(keys, self.messages.events)

    def reject_match(self, raw: str, why: str, now: datetime) -> None:
        """Record a match that could not be read."""
        self._note(RecordKind.EVENT_REJECTED, now, detail=f"{why}: {raw}")

    def ask(self, step: ActionStep) -> None:
        """Note that the guard is asked about a step. If the case is full, the guard counts it."""
        if self.counted_campaign is None:
            self.actions.ask(step)

    def refuse(
        self, step: ActionStep, reason: str, cause: HoldCause, ask_at: datetime | None = None
    ) -> None:
        """Note that a step of the response was refused: people must approve it first.

        With `ask_at` the guard is asked again then, or when it says so.
        """
        self.actions.forget_asked(step)
        self._approval.refuse(step, reason, cause, ask_at)

    def give_up(self, step: ActionStep, reason: str, cause: HoldCause, now: datetime) -> None:
        """Note that a step beside the response was refused: its messages are not tried again.

        Why the case is held does not change by it.
        """
        known = self.actions.outcomes[step.index]
        refused = (subject for subject in step.subjects if subject not in known)
        self.end_step(step, dict.fromkeys(refused, failed(cause)), now, detail=bounded(reason))

    def wants(self, step: ActionStep) -> bool:
        """Whether a step is still to be carried out, whatever was decided since it was given."""
        match step.purpose:
            case StepPurpose.WHILE_HELD:
                return self.state is CaseState.HELD
            case StepPurpose.GIVE_BACK:
                return self.state is CaseState.DENIED
            case StepPurpose.RESPONSE:
                return self.state is not CaseState.UNDONE and not self.state.is_refused

    def ask_again(self, now: datetime) -> None:
        """Ask the guard again about what it refused: it has room by now."""
        self._approval.hurry(now)

    def start_step(self, step: ActionStep, now: datetime) -> None:
        """Note that a step is in progress. If the case ends meanwhile, it may have taken effect."""
        self.actions.start(step)
        is_response = step.purpose is StepPurpose.RESPONSE
        if is_response and self.state is CaseState.HELD and self._approval.has_refused(step):
            self._note(RecordKind.HOLD_ENDED, now, detail=self._approval.why_released)
            self._approval.release()
            self.state = CaseState.RESPONDING

    def end_step(
        self,
        step: ActionStep,
        outcomes: Mapping[str, str],
        now: datetime,
        detail: str | None = None,
    ) -> None:
        """Note the outcomes of a step, one for each of its subjects; `detail` says why."""
        self.actions.end(step, outcomes, now)
        for subject in outcomes:
            self.messages.first_seen.pop(subject, None)
        self._recorder.note_outcomes(step, outcomes, now, detail)

    def decline(self, step: ActionStep, outcome: str, now: datetime) -> None:
        """Note that a step must not be carried out, and that nobody may approve it."""
        self.actions.stop(step)
        if outcome == WOULD:
            self._record_only(step, now)
        else:
            self.end_step(step, dict.fromkeys(step.subjects, outcome), now)

    def end_search(
        self, step: SearchStep, targets: Sequence[Target], problem: str | None, now: datetime
    ) -> None:
        """Note what a search found besides the messages of the case, or why it failed."""
        self.messages.add_search(step.index, targets)
        if problem is not None:
            self.actions.outcomes[step.index][""] = failed(problem)
            self._note(RecordKind.ACTED, now, action=step.action.name, outcome=failed(problem))

    def end_notification(self, number: int, outcome: str, now: datetime) -> None:
        """Note the outcome of a notification. Its own workflow has written the audit record."""
        if (action := self.notifications.end(number, outcome)) is not None:
            record = AuditRecord(
                id="", at=now, kind=RecordKind.NOTIFIED, action=action.name, outcome=outcome
            )
            self._recorder.timeline.note(record)

    # ---- inputs: decisions

    def decide(self, decision: Decision) -> None:
        """Take a person's decision. The case acts once enough people have approved.

        Raises:
            NotHeld: the case does not wait for a decision.

        """
        if (problem := self.decision_problem()) is not None:
            raise NotHeld(problem)

        missing = self._approval.add(decision, self.proposal().needs)
        kind = RecordKind.APPROVED if decision.approved else RecordKind.DENIED
        details = (bounded(decision.reason), f"{missing} more must approve" if missing else "")
        detail = " · ".join(filter(None, details)) or None
        self._note(kind, decision.at, detail=detail, **decision.actor.audit_fields)
        if missing:
            return

        self.actions.start_anew(decision)
        if not decision.approved:
            self._refuse_pending("denied", decision.at)
        self.state = CaseState.RESPONDING if decision.approved else CaseState.DENIED

    def undo(self, actor: Actor, reason: str, now: datetime) -> None:
        """End the case because it is being undone; pending steps are refused."""
        if self.state.is_final:
            return
        self._undone = UndoStart(actor=actor, at=now, reason=bounded(reason))
        detail = self._undone.reason or None
        self._note(RecordKind.UNDO_STARTED, now, detail=detail, **actor.audit_fields)
        self.state = CaseState.UNDONE

    def comment(self, actor: Actor, text: str, now: datetime) -> int:
        """Add a comment; return its number."""
        comment = self.notes.comment(actor, text, now)
        self._note(RecordKind.COMMENTED, now, detail=bounded(comment.text), **actor.audit_fields)
        return comment.number

    def assign(self, actor: Actor, to: AssignTo, now: datetime) -> str:
        """Assign the case; return the name of the assignee, empty if it is nobody."""
        name = self.notes.assign(actor, to, now)
        detail = f"to {name or 'nobody'}"
        self._note(RecordKind.ASSIGNED, now, detail=detail, **actor.audit_fields)
        return name

    # ---- outputs

    def next(self, now: datetime) -> Step:
        """Say what to do now, actions before notifications. Call it again after every change."""
        step = self._next_step(now)
        while isinstance(due := self._notification_before(step, now), NotificationStep):
            if self.plan.mode is not Mode.SHADOW:
                break
            self.notifications.begin(due, now, WOULD)
            self._note(
                RecordKind.WOULD_HAVE_ACTED, now, action=due.action.name, target=due.recipient
            )
        return due

    def following(self, step: ActionStep, now: datetime) -> ActionStep | None:
        """Say which action comes next if all of a step takes effect; None if none does."""
        twin = Case(self.plan, self._timing, self.snapshot(), self.part)
        twin.end_step(step, dict.fromkeys(step.subjects, MOVED), now)
        following = twin.next(now)
        return following if isinstance(following, ActionStep) else None

    # ---- the response

    def _next_step(self, now: datetime) -> Step:
        if self.state.is_final:
            if self.state is CaseState.UNDONE:
                self._refuse_pending(self.state, now)
            return CloseStep(state=self.state)
        if self.state.is_refused:
            self._refuse_pending(self.state, now)
            if self.state is CaseState.DENIED and (back := self.while_held.next_return()):
                return back
            return self._wait_or_close(now)
        return self._respond(now)

    def _respond(self, now: datetime) -> Step:
        if (search := self.actions.due_search()) is not None:
            return search

        while (step := self._pending_step()) is not None:
            if known := self.actions.precheck(step):
                self.end_step(step, known, now)
            elif self.plan.mode is Mode.SHADOW:
                self._record_only(step, now)
            elif (reason := self._approval.reason_to_hold(self.plan, step)) is not None:
                return self._ask_or_hold(step, reason, now)
            elif there := self.while_held.already_there(step):
                self.end_step(step, there, now)
            else:
                return self._act(step)

        if self.actions.in_progress:
            return JoinStep()
        self.state = CaseState.SETTLED
        return self._wait_or_close(now)

    def _ask_or_hold(self, step: ActionStep, reason: str, now: datetime) -> Step:
        is_held = self.state is CaseState.HELD and not self.while_held.is_moving_any(step)
        if is_held and self._approval.asks_again(self.plan, step, now):
            return step
        return self._hold(step, reason, now)

    def _act(self, step: ActionStep) -> Step:
        if self.while_held.is_moving_any(step):
            return JoinStep()
        # Something else of it may be held all the while.
        if self._approval.guard_refusal is None or self.state is not CaseState.HELD:
            self.state = CaseState.RESPONDING
        return step.model_copy(update={"approved": self._approval.decision is not None})

    def _notification_before(self, step: Step, now: datetime) -> Step:
        if not self.plan.notifications or isinstance(step, ActionStep | SearchStep):
            return step
        told_at = self._approval.changed_at(now) + _PATIENCE
        if self.while_held.is_busy and now < told_at:
            # People are better told what has been done already, if that does not take long.
            return WaitStep(
                until=min(step.until, told_at) if isinstance(step, WaitStep) else told_at
            )
        # The case itself tells of the campaign; a part only that somebody must decide, and of
        # hundreds of parts only the first few.
        if self.part > 1 and (self.state is not CaseState.HELD or self.part > _MOST_NOTIFYING):
            return step
        state = self.closed_from if self.state is CaseState.CLOSED else self.state
        return self.notifications.due_before(step, self.snapshot(), state, now, self.proposal)

    def _pending_step(self) -> ActionStep | None:
        return self.actions.next_step()

    def _record_only(self, step: ActionStep, now: datetime) -> None:
        for subject in step.subjects:
            self.actions.outcomes[step.index][subject] = WOULD
            self._note(RecordKind.WOULD_HAVE_ACTED, now, action=step.name, target=subject)

    def _refuse_pending(self, reason: str, now: datetime) -> None:
        while (step := self._pending_step()) is not None:
            self.end_step(step, dict.fromkeys(step.subjects, failed(reason)), now)

    def _hold(self, step: ActionStep, reason: str, now: datetime) -> Step:
        if self.state is not CaseState.HELD:
            self._approval.hold(self.plan, step, reason, now, self._recorder)
            self.state = CaseState.HELD
        kept = self.while_held.describe_kept()
        if (until := self._approval.wait_until(now, self._recorder, kept)) is not None:
            move = self.while_held.next_move(self._approval.hold_cause)
            return move or WaitStep(until=until)

        self.state = CaseState.EXPIRED
        self._refuse_pending(self.state, now)
        return self._wait_or_close(now)

    # ---- the end

    def _wait_or_close(self, now: datetime) -> Step:
        if self.actions.in_progress:
            return JoinStep()
        if now < self.idle_until:
            return WaitStep(until=self.idle_until)
        if self.parts.are_open:
            return WaitStep(until=now + self._timing.linger)

        ended = self.state if self.state.is_refused else CaseState.CLOSED
        self._note(RecordKind.CASE_CLOSED, now, detail=f"was {self.state}")
        self.closed_from, self.state = self.state, CaseState.CLOSED
        return CloseStep(state=ended)

    # ---- size

    def _pass_on(self, match: Match, now: datetime) -> None:
        if self.state.is_refused or self.state is CaseState.UNDONE:
            detail = f"the campaign is {self.state}"
            self._note(RecordKind.EVENT_REJECTED, now, event=match.key, detail=detail)
            return
        self._last_match_at = now
        self.parts.pass_on(match)
