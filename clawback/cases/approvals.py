"""Holding a case until people decide: what they are asked, and what their decisions mean.

An approval is bound to exactly what was shown.
"""

from datetime import datetime
from typing import Any

from clawback.actions import BudgetKind
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import CasePlan
from clawback.cases.recorder import CaseRecorder
from clawback.cases.state import ActionStep, CaseSnapshot, CaseState, Decision
from clawback.cases.timing import CaseTiming
from clawback.model.audit_record import RecordKind
from clawback.model.identity import Identity
from clawback.model.mode import Mode
from clawback.model.texts import bounded


class NotHeld(ValueError):
    """A decision on a case that does not wait for one; the text says in which state it is."""


class Approval:
    """Whether people must decide about a case, since when, why, and who has approved."""

    def __init__(self, timing: CaseTiming, snapshot: CaseSnapshot) -> None:
        self.held_at = snapshot.held_at
        self.hold_reason = snapshot.hold_reason
        self.guard_refusal = snapshot.guard_refusal
        self.decision = snapshot.decision
        self.approvals = list(snapshot.approvals)
        self.arrived_while_held = snapshot.arrived_while_held
        self.expiry_warned = snapshot.expiry_warned
        self.hold_cause = snapshot.hold_cause
        self.ask_at = snapshot.ask_at
        self.asked = snapshot.asked
        self.refused_budget = snapshot.refused_budget
        self.refused_protected = snapshot.refused_protected
        self._timing = timing

    def saved(self) -> dict[str, Any]:
        """Its fields of the snapshot."""
        return {
            "held_at": self.held_at,
            "hold_reason": self.hold_reason,
            "guard_refusal": self.guard_refusal,
            "decision": self.decision,
            "approvals": tuple(self.approvals),
            "arrived_while_held": self.arrived_while_held,
            "expiry_warned": self.expiry_warned,
            "hold_cause": self.hold_cause,
            "ask_at": self.ask_at,
            "asked": self.asked,
            "refused_budget": self.refused_budget,
            "refused_protected": self.refused_protected,
        }

    def reset(self, state: CaseState) -> None:
        """Forget all approvals: a new match is something that nobody has approved yet."""
        self.decision, self.approvals = None, []
        self.arrived_while_held += 1
        if state is not CaseState.HELD:
            self._forget_refusal()

    def refuse(
        self, step: ActionStep, reason: str, cause: HoldCause, ask_at: datetime | None
    ) -> None:
        """Note a refusal of the guard; at `ask_at` at the latest it may be asked again."""
        self.asked += self.guard_refusal is not None
        if self.guard_refusal is not None and cause is not self.hold_cause:
            self.hold_reason = reason  # it waits for something else now
        self.guard_refusal, self.hold_cause, self.ask_at = reason, cause, ask_at
        self.refused_budget = step.action.budget
        self.refused_protected = step.is_protected

    def has_refused(self, step: ActionStep) -> bool:
        """Whether a refusal of the guard holds a step.

        That of a reclassification holds nothing else, and no refusal of other mail holds mail to
        protected people, which has a reserve.
        """
        last = BudgetKind.RECLASSIFICATIONS
        is_other = self.refused_budget is last and step.action.budget is not last
        has_reserve = step.is_protected and not self.refused_protected
        return self.guard_refusal is not None and not (is_other or has_reserve)

    def reason_to_hold(self, plan: CasePlan, step: ActionStep) -> str | None:
        """Why people must approve a step first; None if they need not, or have."""
        if self.decision is not None:
            return None
        refusal = self.guard_refusal if self.has_refused(step) else None
        return self._fixed_reason(plan, step) or refusal

    def asks_again(self, plan: CasePlan, step: ActionStep, now: datetime) -> bool:
        """Whether the guard should be asked again about a step that it refused.

        Only where nothing but its budgets holds the step.
        """
        is_due = self.ask_at is not None and now >= self.ask_at
        return is_due and self._fixed_reason(plan, step) is None

    def hurry(self, now: datetime) -> None:
        """Ask again now: the guard has room. Nothing, if the case waits for something else."""
        if self.ask_at is not None:
            self.ask_at = now

    def hold(
        self, plan: CasePlan, step: ActionStep, reason: str, now: datetime, recorder: CaseRecorder
    ) -> None:
        """Start to wait for people."""
        self.held_at, self.hold_reason, self.arrived_while_held = now, reason, 0
        if self._fixed_reason(plan, step) is not None:
            self.hold_cause, self.ask_at = HoldCause.APPROVAL, None
        recorder.note(RecordKind.HELD, now, detail=bounded(reason))

    def wait_until(
        self, now: datetime, recorder: CaseRecorder, kept: str | None = None
    ) -> datetime | None:
        """Say until when to wait for people, and warn them once; None if they took too long.

        `kept` describes what stays changed if nobody decides.
        """
        expires_at = self._expires_at(now)
        if now >= expires_at:
            recorder.note(RecordKind.EXPIRED, now, detail=kept)
            return None

        until = self._warn_at(now) or expires_at
        if until <= now:
            until, self.expiry_warned = expires_at, True
            detail = f"is denied at {expires_at:%FT%TZ} unless somebody decides"
            recorder.note(RecordKind.EXPIRY_WARNED, now, detail=detail)
        # If it is due and cannot be asked, something else has to end first.
        return min(until, self.ask_at) if self.ask_at is not None and self.ask_at > now else until

    @property
    def why_released(self) -> str:
        """Why the case goes on by itself."""
        is_demoted = self.hold_cause is HoldCause.DEMOTED
        return "the rule was confirmed" if is_demoted else "the budget has room again"

    def release(self) -> None:
        """Stop to wait: the guard has granted what it refused."""
        self._forget_refusal()
        self.expiry_warned = False

    def changed_at(self, now: datetime) -> datetime:
        """When the case was held or decided last."""
        return self.decision.at if self.decision is not None else self.held_at or now

    def _expires_at(self, now: datetime) -> datetime:
        """When silence is taken for a denial."""
        return (self.held_at or now) + self._timing.approval_timeout

    def _warn_at(self, now: datetime) -> datetime | None:
        """When people are warned of the timeout; None if they were, or never are."""
        if self.expiry_warned or self._timing.approval_timeout <= self._timing.warning:
            return None
        return self._expires_at(now) - self._timing.warning

    def add(self, decision: Decision, needs: int) -> int:
        """Add a decision; give how many more people must approve. It counts when none must."""
        missing = 0
        if decision.approved:
            self.approvals.append(decision)
            missing = max(needs - len({one.actor.identity.person for one in self.approvals}), 0)

        if not missing:
            self.decision, self.expiry_warned = decision, False
            self._forget_refusal()

        return missing

    @staticmethod
    def _fixed_reason(plan: CasePlan, step: ActionStep) -> str | None:
        """Why people must approve a step whatever the guard says."""
        if (reason := step.action.approval_reason) is not None:
            return reason
        return "the rule asks for approval" if plan.mode is Mode.APPROVE else None

    def _forget_refusal(self) -> None:
        self.guard_refusal, self.ask_at, self.asked = None, None, 0
        self.refused_budget, self.refused_protected = None, False

    def decision_problem(self, state: CaseState) -> str | None:
        """Why nobody can decide now; None if the case waits for a decision."""
        if state is CaseState.HELD:
            return None

        who = ""
        if self.decision is not None:
            verb = "approved" if self.decision.approved else "denied"
            who = f", {verb} by {self.decision.actor.label}"

        return f"the case is {state}{who}: there is nothing to decide"

    def has_approved(self, identity: Identity) -> bool:
        """Whether a person has approved, on whoever's behalf."""
        return any(one.actor.identity.person == identity.person for one in self.approvals)
