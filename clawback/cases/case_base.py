"""What a case is made of, what it saves and what others ask of it; `Case` is what happens to it."""

from datetime import datetime
from typing import Any

from clawback.cases.approvals import Approval
from clawback.cases.campaign import campaign_state
from clawback.cases.campaign_parts import CampaignParts
from clawback.cases.case_actions import CaseActions
from clawback.cases.case_messages import CaseMessages
from clawback.cases.case_notes import CaseNotes
from clawback.cases.case_notifications import CaseNotifications
from clawback.cases.notes import AssignTo
from clawback.cases.plan import CasePlan
from clawback.cases.proposal import (
    Proposal,
    ProposalChange,
    compare_proposals,
    describe_change,
    make_proposal,
)
from clawback.cases.proposal_log import PastProposal, ProposalLog, decode_positions
from clawback.cases.recorder import CaseRecorder
from clawback.cases.state import (
    ActionStep,
    Campaign,
    CaseSnapshot,
    CaseState,
)
from clawback.cases.timing import CaseTiming
from clawback.cases.while_held import WhileHeld
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Identity
from clawback.model.orders import AnswerLog, OrderLog


class CaseBase:
    """The components of a case, each with its own part of the snapshot."""

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
        self.answers = AnswerLog(snapshot.answers)
        self.notes = CaseNotes(snapshot)
        self._proposals = ProposalLog(snapshot.proposals)
        self.state = snapshot.state
        self.messages = CaseMessages(plan, snapshot)
        self.actions = CaseActions(plan, self.messages, snapshot, part)
        self.while_held = WhileHeld(plan, self.actions)
        self.notifications = CaseNotifications(plan, timing, snapshot)
        self.parts = CampaignParts(plan, part, self.actions.campaign.id, snapshot, limit)
        self._timing = timing
        self._recorder = CaseRecorder(plan, snapshot)
        self._approval = Approval(timing, snapshot)
        self.closed_from = CaseState.SETTLED
        self._opened_at = snapshot.opened_at
        self._last_match_at = snapshot.last_match_at
        self._undone = snapshot.undone

    # ---- what others ask

    def snapshot(self) -> CaseSnapshot:
        """All the case knows, for the next run and for undo."""
        return CaseSnapshot(
            state=self.state,
            opened_at=self._opened_at,
            last_match_at=self._last_match_at,
            undone=self._undone,
            **self._recorder.saved(),
            **self.messages.saved(),
            **self.actions.saved(),
            **self._approval.saved(),
            **self.notifications.saved(),
            **self.parts.saved(),
            **self.notes.saved(),
            proposals=self._proposals.proposals,
            orders=self.orders.counted,
            answers=self.answers.answers,
        )

    def proposal(self) -> Proposal:
        """What would happen if the case were approved now."""
        return make_proposal(self.plan, self._proposed_steps())

    def propose(self, now: datetime) -> Proposal | None:
        """What a held case would do, which it remembers: people may see it. None if not held."""
        if self.state is not CaseState.HELD:
            return None
        steps = self._proposed_steps()
        proposal = make_proposal(self.plan, steps)
        self._proposals.add(proposal.digest, dict(map(self._positions, steps)), now)
        return proposal

    @property
    def past_proposals(self) -> tuple[PastProposal, ...]:
        """What it proposed lately while it was held."""
        return self._proposals.proposals

    def proposal_change(self, digest: str) -> ProposalChange:
        """How what it proposes differs from what it proposed under a digest."""
        current, past = self.proposal(), self._proposals.find(digest)
        if past is None:
            return compare_proposals(current, digest, None)
        return compare_proposals(current, digest, self.proposed_under(digest), past.at)

    def proposed_under(self, digest: str) -> Proposal | None:
        """What it proposed under a digest; None if it does not remember that."""
        if (past := self._proposals.find(digest)) is None:
            return None
        steps = [self._step_at(index, text) for index, text in past.steps]
        return make_proposal(self.plan, steps)

    def decision_problem(self) -> str | None:
        """Why nobody can decide now; None if the case waits for a decision."""
        return self._approval.decision_problem(self.state)

    def approval_problem(self, identity: Identity, digest: str) -> str | None:
        """Why somebody cannot approve what they were shown; None if they can."""
        if (problem := self.decision_problem()) is not None:
            return problem
        if self._approval.has_approved(identity):
            return f"{identity.label} has approved this already: another person must approve it too"
        return describe_change(self.proposal_change(digest))

    def denial_problem(self, digest: str) -> str | None:
        """Why nobody can deny what they were shown, or without a digest, whatever it is."""
        if (problem := self.decision_problem()) is not None or not digest:
            return problem
        return describe_change(self.proposal_change(digest))

    def _proposed_steps(self) -> list[ActionStep]:
        return list(self.actions.without_known(self.actions.pending()))

    def _positions(self, step: ActionStep) -> tuple[int, list[int]]:
        named = {target.id for target in step.targets}
        messages = enumerate(self.actions.messages_of(step.index))
        return step.index, [number for number, one in messages if one.id in named]

    def _step_at(self, index: int, positions: str) -> ActionStep:
        """Build a step of an earlier proposal again."""
        messages = self.actions.messages_of(index)
        targets = tuple(messages[number] for number in decode_positions(positions))
        return ActionStep(index=index, action=self.plan.actions[index], targets=targets)

    def comment_problem(self, text: str) -> str | None:
        """Why the case does not take a comment; None if it does."""
        return self._notes_problem() or self.notes.comment_problem(text)

    def assignment_problem(self, to: AssignTo | None) -> str | None:
        """Why the case cannot be assigned; None if it can."""
        if to is None:
            return "the order does not say to whom the case is assigned"
        return self._notes_problem()

    def _notes_problem(self) -> str | None:
        if self.state.is_final:
            return f"the case is {self.state}: it takes no comments, and nobody works on it"
        if self.part > 1:
            return f"this is a part of {self.plan.case_id}: comment on that and assign that"
        return None

    @property
    def held_since(self) -> datetime | None:
        """Since when the case is held; None if it is not."""
        return self._approval.held_at if self.state is CaseState.HELD else None

    @property
    def expires_at(self) -> datetime | None:
        """When a held case expires; None if it is not held."""
        since = self.held_since
        return None if since is None else since + self._timing.approval_timeout

    @property
    def asked(self) -> int:
        """How often the guard was asked again about what it had refused."""
        return self._approval.asked

    @property
    def has_changed(self) -> bool:
        """Whether the case changed something, or may have: undo has something to take back."""
        return bool(self.actions.applied or self.actions.in_progress)

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

    def _note(self, kind: RecordKind, now: datetime, **fields: Any) -> None:
        self._recorder.note(kind, now, **fields)
