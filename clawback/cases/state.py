"""The states of a case, the steps it asks for, and the snapshot it carries from run to run."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import Field

from clawback.actions import Action, BudgetKind, InstallationOccasion, Notification, Occasion
from clawback.actions.outcomes import TOOK_EFFECT
from clawback.cases.hold_cause import HoldCause
from clawback.cases.notes import Assignment, Comment
from clawback.cases.part_index import SavedIndex
from clawback.cases.plan import GIVE_BACK_NAME, MOVE_WHILE_HELD, CasePlan, Match
from clawback.cases.proposal_log import PastProposal
from clawback.cases.timeline import TimelineEntry
from clawback.cases.timing import CaseTiming
from clawback.model.audit_record import AuditRecord
from clawback.model.identity import Actor
from clawback.model.messages import Target
from clawback.model.notations import canonical_address
from clawback.model.orders import Answer, Order, Verb
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class CaseState(StrEnum):
    """The states of a case."""

    HELD = "held"
    RESPONDING = "responding"
    SETTLED = "settled"
    CLOSED = "closed"
    EXPIRED = "expired"
    DENIED = "denied"
    UNDONE = "undone"

    @property
    def is_final(self) -> bool:
        """Whether the case is over."""
        return self in {CaseState.CLOSED, CaseState.UNDONE}

    @property
    def is_refused(self) -> bool:
        """Whether people, or their silence, refused the response: late matches are refused too."""
        return self in {CaseState.DENIED, CaseState.EXPIRED}


class Decision(Payload):
    """A person's decision on a held case. All parts of a campaign get it under the same `id`.

    `digest` is that of what it decided about, empty if it was about whatever there was.
    """

    approved: bool
    actor: Actor
    at: UtcDatetime
    reason: str = ""
    id: str = ""
    digest: str = ""

    @classmethod
    def of(cls, order: Order, at: datetime) -> "Decision":
        """Build the decision that an order to approve or to deny is."""
        return cls(
            approved=order.verb is Verb.APPROVE,
            actor=order.actor,
            at=at,
            reason=order.reason,
            id=order.nonce,
            digest=order.content,
        )


class UndoStart(Payload):
    """Who ended a case because it is being undone, when and why."""

    actor: Actor
    at: UtcDatetime
    reason: str = ""


class Campaign(Payload):
    """What the guard must know of a campaign to count the messages of all its parts.

    `id` is unique for ever. `spent` is what the case itself had spent since people last decided
    when it sent matches on. `decision` is the last decision that a part knows of, with its time.
    """

    id: str
    opened_at: UtcDatetime
    spent: int = 0
    decision: str = ""
    decided_at: UtcDatetime | None = None


class StepPurpose(StrEnum):
    """Why a step is carried out."""

    RESPONSE = "response"
    """It is the response of the rule."""
    WHILE_HELD = "while_held"
    """The case waits for people, and this may happen until they decide."""
    GIVE_BACK = "give_back"
    """People denied the case: it takes back what it did while it was held."""


class ActionStep(Payload):
    """Carry out one action of the plan now, on up to 1,000 messages.

    An action on the whole case has at most one target, the first message. `approved` says that
    people have approved exactly this.
    """

    index: int
    action: Action
    targets: tuple[Target, ...] = ()
    approved: bool = False
    purpose: StepPurpose = StepPurpose.RESPONSE

    @property
    def subjects(self) -> tuple[str, ...]:
        """The keys of its outcomes."""
        return self.action.subjects(self.targets)

    @property
    def budget(self) -> BudgetKind:
        """What it is charged to."""
        is_response = self.purpose is StepPurpose.RESPONSE
        return self.action.budget if is_response else BudgetKind.HELD_MESSAGES

    @property
    def cost(self) -> int:
        """How much of its budget it takes. To give something back costs nothing."""
        return 0 if self.purpose is StepPurpose.GIVE_BACK else len(self.subjects)

    @property
    def name(self) -> str:
        """What its records call it: the action, unless it is no part of the response."""
        return _NAMES.get(self.purpose, self.action.name)

    @property
    def is_beside(self) -> bool:
        """Whether the case goes on meanwhile: nothing else may wait for it."""
        is_response = self.purpose is StepPurpose.RESPONSE
        return not is_response or self.budget is BudgetKind.RECLASSIFICATIONS

    @property
    def is_protected(self) -> bool:
        """Whether all its messages went to protected people."""
        return bool(self.targets) and all(target.protected for target in self.targets)


_NAMES: Final = {
    StepPurpose.WHILE_HELD: MOVE_WHILE_HELD,
    StepPurpose.GIVE_BACK: GIVE_BACK_NAME,
}


class SearchStep(Payload):
    """Search for the messages of one action before anything is decided about it."""

    index: int
    action: Action


class AppliedAction(Payload):
    """What one step changed, as undo needs it: the action, when, and the affected subjects.

    Subjects with unknown outcomes are included.
    """

    index: int
    at: UtcDatetime
    subjects: tuple[str, ...]


class Delivery(Payload):
    """One notification that a case started: which of the plan's, why, when, and its outcome.

    `outcome` is empty while delivery is in progress. `episode` distinguishes repeats of the same
    occasion: held again, more messages since, another reporter.
    """

    index: int
    occasion: Occasion
    episode: str
    at: UtcDatetime
    outcome: str = ""


class CaseSnapshot(Payload):
    """All a case knows besides its plan: what continue-as-new carries over and undo reads.

    Matches: `events` are the keys of those taken, `match_reasons` why the first event matched,
    `search_results` what searches found, by the position of their action. `conditions` has the
    version of the condition for messages that did not match under the plan's, `last_condition` that
    of the last match.

    Actions: `outcomes[i]` maps the subjects of action `i` to their outcomes, `applied` lists what
    took effect, `in_progress` are the steps being carried out, `spent` counts the messages touched
    since people last decided.

    Holding: `hold_reason` says why the case is or was held, `guard_refusal` why the guard refused,
    `approvals` are those since the last match. `arrived_while_held` counts the matches since it was
    held. `undone` says who ended it by an undo. `ask_at` is when the guard is asked again at the
    latest, `asked` how often it was, `refused_budget` and `refused_protected`
    what it was about.

    `notifications` are those started, `reporters` the users who submitted the messages, `timeline`
    the story for people, `runs` counts the runs of its workflow before this one, `pending_records`
    are not written yet.

    Size: `room_used` bytes are taken, `is_full` says that further matches went on to other parts,
    `parts` are the states of all parts that the first one knows of, `index` says which part has
    which matches, `campaign` is what the guard counts all of them under.

    `proposals` are the last ones that it made while it was held (see `ProposalLog`).

    `comments` and `assignment` are what people wrote about it and who works on it. `orders` are the
    orders of people that were counted lately, `answers` what was answered to the last ones (see
    `OrderLog` and `AnswerLog`).
    """

    uid: str
    campaign: Campaign | None = None
    state: CaseState
    opened_at: UtcDatetime
    last_match_at: UtcDatetime
    runs: int = 0
    events: dict[str, UtcDatetime] = Field(default_factory=dict)
    targets: dict[str, Target] = Field(default_factory=dict)
    first_seen: dict[str, UtcDatetime] = Field(default_factory=dict)
    handled: frozenset[str] = frozenset()
    conditions: dict[str, str] = Field(default_factory=dict)
    last_condition: str = ""
    outcomes: tuple[dict[str, str], ...] = ()
    held_at: UtcDatetime | None = None
    decision: Decision | None = None
    approvals: tuple[Decision, ...] = ()
    arrived_while_held: int = 0
    undone: UndoStart | None = None
    guard_refusal: str | None = None
    expiry_warned: bool = False
    hold_cause: HoldCause | None = None
    ask_at: UtcDatetime | None = None
    asked: int = 0
    refused_budget: BudgetKind | None = None
    refused_protected: bool = False
    spent: int = 0
    applied: tuple[AppliedAction, ...] = ()
    in_progress: tuple[ActionStep, ...] = ()
    search_results: dict[int, tuple[Target, ...]] = Field(default_factory=dict)
    match_reasons: tuple[str, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    hold_reason: str = ""
    notifications: tuple[Delivery, ...] = ()
    reporters: tuple[str, ...] = ()
    pending_records: tuple[AuditRecord, ...] = ()
    room_used: int = 0
    is_full: bool = False
    parts: dict[int, CaseState] = Field(default_factory=dict)
    index: SavedIndex = SavedIndex()
    proposals: tuple[PastProposal, ...] = ()
    comments: tuple[Comment, ...] = ()
    assignment: Assignment | None = None
    orders: dict[str, UtcDatetime] = Field(default_factory=dict)
    answers: dict[str, Answer] = Field(default_factory=dict)

    @property
    def all_targets(self) -> dict[str, Target]:
        """Every message by its id: of matches, of searches, and of steps in progress."""
        others = {one.id: one for found in self.search_results.values() for one in found}
        current = {one.id: one for step in self.in_progress for one in step.targets}
        return {**current, **others, **self.targets}

    @property
    def campaign_of_parts(self) -> str:
        """The id of a campaign of several parts, of which the case is one once it is full."""
        if self.campaign is None:
            return ""
        is_case_itself = self.uid.endswith(f"/{self.campaign.id}")
        return "" if is_case_itself and not self.is_full else self.campaign.id

    def target(self, message: str) -> Target | None:
        """The message of an id, from a match or a search."""
        return self.targets.get(message) or self.all_targets.get(message)

    def touched(self, outcomes: Mapping[str, str]) -> Iterator[Target]:
        """The messages on which an action took effect, by its outcomes."""
        for message, outcome in outcomes.items():
            if outcome in TOOK_EFFECT and (target := self.target(message)) is not None:
                yield target


class WaitStep(Payload):
    """Wait for a match or a decision, at most until this time."""

    until: UtcDatetime


class JoinStep(Payload):
    """Wait for the steps in progress: what comes next depends on them."""


class CloseStep(Payload):
    """End the case in this state."""

    state: CaseState


class ActionSummary(Payload):
    """One action of a case and how often it had each outcome."""

    action: str
    outcomes: dict[str, int] = Field(default_factory=dict)


class NotificationContext(Payload):
    """The state of a case that one notification reports.

    Values of `group`, `why` and `proposes` come from mail: defang them before you show them. `why`
    has the first clauses that made the first event match. `proposes` is what a held case would do
    if `approvers` people approved it. `decided_by` lists who approved the actions, or who denied
    them. `first` is the message a screenshot shows. `is_undo` says that it reports an undo, whose
    workflow is `case`, `is_installation` that it reports something that concerns no case.
    """

    case: str
    uid: str
    rule: str
    version: str = ""
    title: str = ""
    level: str = ""
    mode: str = ""
    occasion: Occasion | InstallationOccasion
    at: UtcDatetime
    group: dict[str, str | None] = Field(default_factory=dict)
    actions: tuple[ActionSummary, ...] = ()
    messages: int = 0
    mailboxes: int = 0
    events: int = 0
    why: tuple[str, ...] = ()
    proposes: tuple[str, ...] = ()
    approvers: int = 1
    moved_while_held: int = 0
    is_late: bool = False
    reason: str = ""
    decided_by: tuple[str, ...] = ()
    answer_by: UtcDatetime | None = None
    first: Target | None = None
    is_undo: bool = False

    @property
    def is_installation(self) -> bool:
        """Whether it concerns the installation, not a case or an undo."""
        return isinstance(self.occasion, InstallationOccasion)


class NotificationStep(Payload):
    """Start one notification, to a channel or through it to one reporter.

    `number` counts the notifications of the case, from 0. `escalated_from` are the channels that
    had it before, because nobody answered there.
    """

    action: Notification
    index: int
    number: int
    episode: str
    context: NotificationContext
    reporter: str | None = None
    escalated_from: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Identifies this notification: the same for every attempt, never reused. A hash."""
        run = self.context.uid.rpartition("/")[2]
        again = f"/{len(self.escalated_from)}" if self.escalated_from else ""
        return hashlib.sha256(f"{run}/{self.number}{again}".encode()).hexdigest()[:32]

    @property
    def has_listener(self) -> bool:
        """Whether what it reports waits for its outcome: one of its own notifications."""
        return not self.context.is_installation and not self.escalated_from

    def escalated(self, channel: str) -> "NotificationStep":
        """The same for the next channel."""
        return self.model_copy(
            update={
                "action": self.action.model_copy(update={"channel": channel}),
                "escalated_from": (*self.escalated_from, self.action.channel),
            }
        )

    @property
    def recipient(self) -> str:
        """The recipient as audit records name it: the channel, or a hash of the reporter."""
        if self.reporter is None:
            return self.action.channel
        return (
            f"reporter/{hashlib.sha256(canonical_address(self.reporter).encode()).hexdigest()[:12]}"
        )


Step = ActionStep | SearchStep | NotificationStep | WaitStep | JoinStep | CloseStep


class CaseStart(Payload):
    """The argument of a case workflow; `snapshot` is set when it continues as new.

    `window` describes the correlation window that opened the case; `index_key` is the key, in hex,
    of the hashes that the case publishes (see `cases.touches`).

    `part` numbers the parts of a campaign from 1, the case itself, which makes the `campaign` of
    the others. `trace_id` is that of the OpenTelemetry trace that opened the case.
    """

    plan: CasePlan
    timing: CaseTiming = CaseTiming()
    index_key: str = ""
    part: int = 1
    campaign: Campaign | None = None
    window: str | None = None
    trace_id: str | None = None
    snapshot: CaseSnapshot | None = None


class KnownMatches(Payload):
    """Which matches a part has, by their keys, and which other parts may have others of them."""

    keys: tuple[str, ...] = ()
    others: dict[int, tuple[str, ...]] = Field(default_factory=dict)


class Placement(Payload):
    """Which parts of a campaign take which matches, by their keys, and what a part starts with."""

    plan: CasePlan
    timing: CaseTiming
    campaign: Campaign
    parts: dict[int, tuple[str, ...]] = Field(default_factory=dict)


class ForwardMatches(Payload):
    """Matches for which a case has no room, and the part that they go to; see `CaseStart`."""

    plan: CasePlan
    timing: CaseTiming
    part: int
    campaign: Campaign
    matches: tuple[Match, ...]
