"""The case as a pure state machine: matches, outcomes and decisions in, steps and records out.

It has no clock and no I/O: the workflow says what time it is and does what `next` returns. The same
inputs in the same order give the same steps, so replay does too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clawback.actions import Scope
from clawback.actions.outcomes import MOVED, TOOK_EFFECT, WOULD, failed
from clawback.cases.approvals import Approval, NotHeld, describe_change, make_proposal
from clawback.cases.campaign import campaign_state
from clawback.cases.campaign_parts import CampaignParts
from clawback.cases.case_actions import CaseActions
from clawback.cases.case_messages import CaseMessages
from clawback.cases.case_notifications import CaseNotifications
from clawback.cases.hold_cause import HoldCause
from clawback.cases.placement import MatchSize
from clawback.cases.plan import CasePlan, Match
from clawback.cases.recorder import CaseRecorder
from clawback.cases.state import (
    ActionStep,
    Campaign,
    CaseSnapshot,
    CaseState,
    CloseStep,
    Decision,
    KnownMatches,
    NotificationStep,
    Placement,
    Proposal,
    SearchStep,
    Step,
    WaitStep,
)
from clawback.cases.timing import CaseTiming
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor, Identity
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.model.orders import OrderLog
from clawback.model.texts import bounded

_MOST_NOTIFYING = 17
"""The last part that notifies people when it is held."""


class Case:
    """One campaign under one rule. Start one with `Case.open`, or continue from a snapshot."""

    def __init__(
        self,
        plan: CasePlan,
        timing: CaseTiming,
        snapshot: CaseSnapshot,
        part: int = 1,
        limit: int | None = None,
    ) -> None:
        self.plan = plan
        self.part = part
        self.orders = OrderLog(snapshot.orders)
        self.state = snapshot.state
        self.messages = CaseMessages(plan, snapshot)
        self.actions = CaseActions(plan, self.messages, snapshot, part)
        self.notifications = CaseNotifications(plan, snapshot)
        self.parts = CampaignParts(plan, part, self.actions.campaign.id, snapshot, limit)
        self._timing = timing
        self._recorder = CaseRecorder(plan, snapshot)
        self._approval = Approval(timing, snapshot)
        self._closed_from = CaseState.SETTLED
        self._opened_at = snapshot.opened_at
        self._last_match_at = snapshot.last_match_at

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
            self.state = self._closed_from
        if not self.parts.has_room(match):
            self._pass_on(match, now)
            return False
        self.messages.add_match(match)
        self._last_match_at = now
        self._approval.reset(self.state)
        self.notifications.add_reporter(match)
        self._note(RecordKind.EVENT_JOINED, now, event=match.key)
        if not match.targets:
            self._note_missing_message(match, now)
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
        """Note that the guard refused the step: people must approve it first.

        With `ask_at` the guard is asked again then, or when it says so.
        """
        self.actions.forget_asked()
        self._approval.refuse(step, reason, cause, ask_at)

    def ask_again(self, now: datetime) -> None:
        """Ask the guard again about what it refused: it has room by now."""
        self._approval.hurry(now)

    def start_step(self, step: ActionStep, now: datetime) -> None:
        """Note that a step is in progress. If the case ends meanwhile, it may have taken effect."""
        self.actions.in_progress = step
        if self.state is CaseState.HELD and self._approval.has_refused(step):
            self._note(RecordKind.HOLD_ENDED, now, detail=self._approval.why_released)
            self._approval.release()
            self.state = CaseState.RESPONDING

    def end_step(self, step: ActionStep, outcomes: Mapping[str, str], now: datetime) -> None:
        """Note the outcomes of a step, one for each of its subjects."""
        self.actions.end(step, outcomes, now)
        targets = {target.id: target for target in step.targets}
        for subject, outcome in outcomes.items():
            self.messages.first_seen.pop(subject, None)
            has_effect = outcome in TOOK_EFFECT
            change = step.action.audit_change(targets.get(subject)) if has_effect else {}
            fields = {"action": step.action.name, "target": subject, "outcome": outcome}
            self._note(RecordKind.ACTED, now, **fields, **change)

    def decline(self, step: ActionStep, outcome: str, now: datetime) -> None:
        """Note that a step must not be carried out, and that nobody may approve it."""
        self.actions.in_progress = None
        self.actions.forget_asked()
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

    def decision_problem(self) -> str | None:
        """Why nobody can decide now; None if the case waits for a decision."""
        return self._approval.decision_problem(self.state)

    def approval_problem(self, identity: Identity, digest: str) -> str | None:
        """Why somebody cannot approve what they were shown; None if they can."""
        if (problem := self.decision_problem()) is not None:
            return problem
        if self._approval.has_approved(identity):
            return f"{identity.label} has approved this already: another person must approve it too"
        return describe_change(self.proposal(), digest)

    def denial_problem(self, digest: str) -> str | None:
        """Why nobody can deny what they were shown, or without a digest, whatever it is."""
        if (problem := self.decision_problem()) is not None or not digest:
            return problem
        return describe_change(self.proposal(), digest)

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
        detail = bounded(reason) or None
        self._note(RecordKind.UNDO_STARTED, now, detail=detail, **actor.audit_fields)
        self.state = CaseState.UNDONE

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

    def snapshot(self) -> CaseSnapshot:
        """All the case knows, for the next run and for undo."""
        return CaseSnapshot(
            state=self.state,
            opened_at=self._opened_at,
            last_match_at=self._last_match_at,
            **self._recorder.saved(),
            **self.messages.saved(),
            **self.actions.saved(),
            **self._approval.saved(),
            **self.notifications.saved(),
            **self.parts.saved(),
            orders=self.orders.counted,
        )

    def proposal(self) -> Proposal:
        """What would happen if the case were approved now."""
        pending = self.actions.pending()
        return make_proposal(self.plan, list(self.actions.without_known(pending)))

    @property
    def held_since(self) -> datetime | None:
        """Since when the case is held; None if it is not."""
        return self._approval.held_at if self.state is CaseState.HELD else None

    @property
    def asked(self) -> int:
        """How often the guard was asked again about what it had refused."""
        return self._approval.asked

    @property
    def has_changed(self) -> bool:
        """Whether the case changed something, or may have: undo has something to take back."""
        return bool(self.actions.applied) or self.actions.in_progress is not None

    @property
    def counted_campaign(self) -> Campaign | None:
        """The campaign that the guard has to count; None while this case has all its messages."""
        return self.actions.current_campaign if self.part > 1 or self.parts.is_full else None

    @property
    def idle_until(self) -> datetime:
        """When the case closes if nothing arrives."""
        return self._last_match_at + self._timing.linger

    @property
    def campaign_state(self) -> CaseState:
        """The state of the campaign with all its parts."""
        return campaign_state(self.state, self.parts.states.values())

    def take_records(self) -> tuple[AuditRecord, ...]:
        """Hand over the records made since the last call."""
        return self._recorder.take()

    # ---- the response

    def _next_step(self, now: datetime) -> Step:
        if self.state.is_final:
            if self.state is CaseState.UNDONE:
                self._refuse_pending(self.state, now)
            return CloseStep(state=self.state)
        if self.state.is_refused:
            self._refuse_pending(self.state, now)
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
                is_held = self.state is CaseState.HELD
                if is_held and self._approval.asks_again(self.plan, step, now):
                    return step
                return self._hold(step, reason, now)
            else:
                # Something else of it may be held all the while.
                if self._approval.guard_refusal is None or self.state is not CaseState.HELD:
                    self.state = CaseState.RESPONDING
                return step.model_copy(update={"approved": self._approval.decision is not None})

        self.state = CaseState.SETTLED
        return self._wait_or_close(now)

    def _notification_before(self, step: Step, now: datetime) -> Step:
        if not self.plan.notifications or isinstance(step, ActionStep | SearchStep):
            return step
        # The case itself tells of the campaign; a part only that somebody must decide, and of
        # hundreds of parts only the first few.
        if self.part > 1 and (self.state is not CaseState.HELD or self.part > _MOST_NOTIFYING):
            return step
        state = self._closed_from if self.state is CaseState.CLOSED else self.state
        return self.notifications.due_before(
            step, self.snapshot(), state, now, self._timing.approval_timeout
        )

    def _pending_step(self) -> ActionStep | None:
        return self.actions.next_step()

    def _record_only(self, step: ActionStep, now: datetime) -> None:
        for subject in step.subjects:
            self.actions.outcomes[step.index][subject] = WOULD
            self._note(RecordKind.WOULD_HAVE_ACTED, now, action=step.action.name, target=subject)

    def _refuse_pending(self, reason: str, now: datetime) -> None:
        while (step := self._pending_step()) is not None:
            self.end_step(step, dict.fromkeys(step.subjects, failed(reason)), now)

    def _hold(self, step: ActionStep, reason: str, now: datetime) -> Step:
        if self.state is not CaseState.HELD:
            self._approval.hold(self.plan, step, reason, now, self._recorder)
            self.state = CaseState.HELD
        if (until := self._approval.wait_until(now, self._recorder)) is not None:
            return WaitStep(until=until)

        self.state = CaseState.EXPIRED
        self._refuse_pending(self.state, now)
        return self._wait_or_close(now)

    # ---- the end

    def _wait_or_close(self, now: datetime) -> Step:
        if now < self.idle_until:
            return WaitStep(until=self.idle_until)
        if self.parts.are_open:
            return WaitStep(until=now + self._timing.linger)

        ended = self.state if self.state.is_refused else CaseState.CLOSED
        self._note(RecordKind.CASE_CLOSED, now, detail=f"was {self.state}")
        self._closed_from, self.state = self.state, CaseState.CLOSED
        return CloseStep(state=ended)

    # ---- size

    def _pass_on(self, match: Match, now: datetime) -> None:
        if self.state.is_refused or self.state is CaseState.UNDONE:
            detail = f"the campaign is {self.state}"
            self._note(RecordKind.EVENT_REJECTED, now, event=match.key, detail=detail)
            return
        self._last_match_at = now
        self.parts.pass_on(match)

    # ---- records

    def _note_missing_message(self, match: Match, now: datetime) -> None:
        for action in self.plan.actions:
            if action.scope is Scope.MESSAGE:
                fields = {"event": match.key, "action": action.name}
                self._note(RecordKind.ACTED, now, **fields, outcome=failed("no_message"))

    def _note(self, kind: RecordKind, now: datetime, **fields: Any) -> None:
        self._recorder.note(kind, now, **fields)
