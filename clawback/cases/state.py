"""The states of a case, the outcomes of its work, and the memory it carries from run to run."""

import hashlib
from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from clawback.actions import Action, Notification, Occasion
from clawback.cases.plan import CasePlan
from clawback.cases.timeline import TimelineEntry
from clawback.correlation.sliding_window import WindowEntry
from clawback.model.audit_record import AuditRecord
from clawback.model.durations import Duration
from clawback.model.messages import Target
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class CaseState(StrEnum):
    """Where a case stands."""

    WATCHING = "watching"
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
        """Whether nothing more will be done.

        Late arrivals are taken in, refused and recorded until the case closes.
        """
        return self in {CaseState.DENIED, CaseState.EXPIRED}


class CaseTiming(Payload):
    """How long a case waits for things.

    `linger`: how long after the last arrival a settled case still takes in late ones (never less
    than the feed's lookback). `patience`: how long a held case waits for an answer; `warning`: how
    long before its end people are told once more.
    """

    linger: Duration = timedelta(minutes=30)
    patience: Duration = timedelta(days=7)
    warning: Duration = timedelta(days=1)


class Decision(Payload):
    """A person's answer to a held case."""

    approved: bool
    by: str
    at: UtcDatetime
    reason: str = ""


class ActionStep(Payload):
    """Carry out one action of the plan now, on up to 1,000 messages.

    An action on the whole case has at most one target, the first message. `approved` says that
    people have approved exactly this.
    """

    index: int
    action: Action
    targets: tuple[Target, ...] = ()
    approved: bool = False

    @property
    def subjects(self) -> tuple[str, ...]:
        """The keys of its outcomes."""
        return self.action.subjects(self.targets)


class SearchStep(Payload):
    """Search for the messages of one action before anything is decided about it."""

    index: int
    action: Action


class AppliedAction(Payload):
    """One act that was carried out, as undo needs it.

    Which action, when, and to which messages or which pattern.

    Only what took effect is listed, and what may have (its outcome is `unknown`).
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
    """All a case knows besides its plan: what continue-as-new carries over and undo will read.

    `outcomes[i]` maps investigate ids (or, for an action on the case, the pattern or message it was
    done to) to what became of them under action `i`; `done` lists what took effect, for undo;
    `acting` is the act under way. `approvals` are those given since the case last grew, `hold` is
    why the guard held it, `held_for` why it is held, `spent` the messages touched since people last
    looked at it. `found` is what searches found, by the position of their actions; `why` says for
    which reasons the first event matched, `journal` is its story for people. `notifications` are
    those started so far, `reporters` the users who submitted what the case is about.
    """

    uid: str
    state: CaseState
    opened_at: UtcDatetime
    touched_at: UtcDatetime
    records: int = 0
    events: dict[str, UtcDatetime] = Field(default_factory=dict)
    sightings: tuple[WindowEntry, ...] = ()
    targets: dict[str, Target] = Field(default_factory=dict)
    seen_at: dict[str, UtcDatetime] = Field(default_factory=dict)
    handled: frozenset[str] = frozenset()
    outcomes: tuple[dict[str, str], ...] = ()
    held_at: UtcDatetime | None = None
    decision: Decision | None = None
    approvals: tuple[Decision, ...] = ()
    hold: str | None = None
    warned: bool = False
    spent: int = 0
    done: tuple[AppliedAction, ...] = ()
    acting: ActionStep | None = None
    found: dict[int, tuple[Target, ...]] = Field(default_factory=dict)
    why: tuple[str, ...] = ()
    journal: tuple[TimelineEntry, ...] = ()
    held_for: str = ""
    notifications: tuple[Delivery, ...] = ()
    reporters: tuple[str, ...] = ()
    unwritten: tuple[AuditRecord, ...] = ()

    def target(self, message: str) -> Target | None:
        """The message of an id, wherever it came from."""
        every = (
            *(self.acting.targets if self.acting else ()),
            *(one for found in self.found.values() for one in found),
        )
        return self.targets.get(message) or next((one for one in every if one.id == message), None)


class Proposal(Payload):
    """What a held case would do if it were approved now.

    `digest` stands for exactly this and nothing else.
    """

    rule_version: str
    actions: tuple[str, ...]
    messages: tuple[str, ...]
    needs: int
    digest: str


class WaitStep(Payload):
    """Nothing to do until something arrives, or until this moment."""

    until: UtcDatetime


class CloseStep(Payload):
    """The case is over."""

    state: CaseState


class ActionSummary(Payload):
    """One action of a case and how often it had each outcome."""

    action: str
    outcomes: dict[str, int] = Field(default_factory=dict)


class NotificationContext(Payload):
    """The state of a case that one notification reports.

    Values of `group` come from mail: defang them before you show them. `decided_by` lists who
    approved the actions, or who denied them. `first` is the message a screenshot shows.
    """

    case: str
    uid: str
    rule: str
    version: str = ""
    title: str = ""
    level: str = ""
    mode: str = ""
    occasion: Occasion
    at: UtcDatetime
    group: dict[str, str | None] = Field(default_factory=dict)
    actions: tuple[ActionSummary, ...] = ()
    messages: int = 0
    events: int = 0
    is_late: bool = False
    reason: str = ""
    decided_by: tuple[str, ...] = ()
    answer_by: UtcDatetime | None = None
    first: Target | None = None


class NotificationStep(Payload):
    """Start one notification, to a channel or through it to one reporter.

    `number` counts the notifications of the case, from 0.
    """

    action: Notification
    index: int
    number: int
    episode: str
    context: NotificationContext
    reporter: str | None = None

    @property
    def id(self) -> str:
        """Identifies this notification: the same for every attempt, never reused. A hash."""
        run = self.context.uid.rpartition("/")[2]
        return hashlib.sha256(f"{run}/{self.number}".encode()).hexdigest()[:32]

    @property
    def recipient(self) -> str:
        """The recipient as audit records name it: the channel, or a hash of the reporter."""
        if self.reporter is None:
            return self.action.channel
        return f"reporter/{hashlib.sha256(self.reporter.lower().encode()).hexdigest()[:12]}"


Step = ActionStep | SearchStep | NotificationStep | WaitStep | CloseStep


class CaseStart(Payload):
    """The argument of a case workflow.

    Its plan, its pace, and its memory when it continues as new.
    """

    plan: CasePlan
    pace: CaseTiming = CaseTiming()
    memory: CaseSnapshot | None = None
