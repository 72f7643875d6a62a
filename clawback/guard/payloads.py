"""The payloads between cases and the guard, and the snapshot of the guard."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from clawback.actions import BudgetKind
from clawback.cases.hold_cause import HoldCause
from clawback.cases.plan import Limit
from clawback.cases.state import Campaign
from clawback.guard.shares import Shares
from clawback.guard.sliding_counter import SlidingCounter
from clawback.model.durations import Duration
from clawback.model.identity import Actor
from clawback.model.level import Level
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

MOST_DEMOTED = 200
"""Demoted rules that the memo names; the guard itself refuses the others."""


def _is_medium(level: Level) -> bool:
    return level is Level.MEDIUM


def _is_false(value: bool) -> bool:  # noqa: FBT001 - pydantic gives it
    return not value


class Surge(Payload):
    """More than usual is too much: above `least` and above `factor` times the average hour.

    It is watched for every rule and every verdict of Cloudflare: a verdict that is suddenly wrong
    is as bad as a wrong rule.
    """

    least: int = 500
    factor: float = 10.0
    per: Duration = timedelta(hours=1)


class Budgets(Payload):
    """The budgets that hold now: of all rules together, of a rule without its own, of one case.

    `shares` says who may use how much of the first.
    """

    overall: tuple[Limit, ...] = ()
    shares: Shares = Shares()
    rule: tuple[Limit, ...] = ()
    campaign: int | None = None
    surge: Surge | None = None


class Reservation(Payload):
    """What a step of a case will spend.

    `id` is unique for ever: a retry gives the same result and costs nothing. `count` is what the
    step will spend, `spent` what the case has spent since a person last decided; where a campaign
    has several parts, the guard counts them together under `campaign`. `verdicts` counts
    Cloudflare's verdicts on the messages. `subject` is the hash under which repeats are counted.
    `approved` says that people have approved the step, `protected` that all its messages went to
    protected people. `case` is the workflow that asks, `since` how long it has been held, and
    `asked` how often it has asked again.
    """

    id: str
    rule: str
    level: Level = Level.MEDIUM
    budget: BudgetKind
    count: int
    spent: int = 0
    campaign: Campaign | None = None
    verdicts: dict[str, int] = Field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    subject: str | None = None
    approved: bool = False
    protected: bool = False
    case: str = ""
    since: UtcDatetime | None = None
    asked: int = 0


class ReservationResult(Payload):
    """Whether the step may be carried out; if not, why people must approve it.

    `repeats` counts earlier grants of the same subject. Nobody may approve a step that has an
    `outcome` already. `is_reserve` says that it came out of the reserve for protected people.
    `again` is when the case asks again at the latest; None if only people can let it go on.
    `must_take_over` says that nothing was decided: parts of an earlier case are open (`LostCase`).
    """

    granted: bool
    reason: str = ""
    cause: HoldCause | None = None
    is_reserve: bool = False
    again: UtcDatetime | None = None
    repeats: int = 0
    outcome: str | None = None
    must_take_over: bool = False


class ReservationBatch(Payload):
    """Reservations made at the same moment, with the budgets that hold then."""

    reservations: tuple[Reservation, ...]
    budgets: Budgets = Budgets()


class Refund(Payload):
    """Units of a granted reservation that were not spent; `campaign` as the part knew it then."""

    id: str
    count: int
    campaign: Campaign | None = None


class Stop(Payload):
    """The kill switch is on: by whom, since when, why."""

    by: str
    at: UtcDatetime
    reason: str = ""


class Demotion(Payload):
    """A rule whose work was undone: its cases are held until a person confirms the rule."""

    actor: Actor
    at: UtcDatetime
    reason: str = ""
    undone: int = 1


class Grant(Payload):
    """A granted reservation, for retries and refunds.

    `decision` is the last one about the campaign whose parts it was counted with, if any.
    `is_reserve` says that it came out of what is kept for mail to protected people.
    """

    rule: str
    level: Level = Field(default=Level.MEDIUM, exclude_if=_is_medium)
    budget: BudgetKind
    count: int
    at: UtcDatetime
    verdicts: dict[str, int] = Field(default_factory=dict)
    repeats: int = 0
    decision: str | None = None
    is_reserve: bool = Field(default=False, exclude_if=_is_false)


class RepeatCount(Payload):
    """How often a subject was granted, and when last."""

    times: int
    at: UtcDatetime


class CampaignCount(Payload):
    """What all parts of a campaign have spent since the last decision about any of them."""

    spent: int
    opened_at: UtcDatetime
    decision: str = ""
    decided_at: UtcDatetime | None = None


class Binding(Payload):
    """Whose data the namespace holds: the account id (no secret), and one installation of it."""

    account: str
    installation: str


class LossReason(StrEnum):
    """How the guard was lost."""

    CLOSED = "closed"
    MISSING = "missing"
    RESET = "reset"
    OLDER = "older"


class Loss(Payload):
    """The guard was lost, and the run that goes on has not read its past yet.

    `run` is the run whose state is to be read, if any. `is_complete` says that this run was the
    last one, so that its state is all there was. `generation` is the newest that is known.
    """

    reason: LossReason
    at: UtcDatetime
    run: str | None = None
    is_complete: bool = False
    generation: int = 0


class GuardSnapshot(Payload):
    """All the guard knows: the state that continue-as-new carries over.

    `generation` counts the runs. `decisions` counts what people and undo decided. `unknown_since`
    is when a past was lost that could not be read; `vouched` are the rules confirmed since.
    `campaigns` counts those of several parts by their ids; what those opened until
    `campaigns_forgotten` have spent is not known if they are not among them. `waiting` are the held
    cases that wait for room in a budget (see `Waiting`), `budgets` the last ones that the guard was
    told. `orders` are those of people that were counted lately (see `OrderLog`), `undone` what each
    person took back (see `UndoLedger`).
    """

    counters: dict[str, SlidingCounter] = Field(default_factory=dict)
    grants: dict[str, Grant] = Field(default_factory=dict)
    repeats: dict[str, RepeatCount] = Field(default_factory=dict)
    campaigns: dict[str, CampaignCount] = Field(default_factory=dict)
    campaigns_forgotten: UtcDatetime | None = None
    demoted: dict[str, Demotion] = Field(default_factory=dict)
    stopped: Stop | None = None
    refused: int = 0
    budgets: Budgets = Budgets()
    waiting: dict[str, list[Any]] = Field(default_factory=dict)
    waiting_limits: dict[str, tuple[Limit, ...]] = Field(default_factory=dict)
    binding: Binding | None = None
    generation: int = 0
    decisions: int = 0
    loss: Loss | None = None
    unknown_since: UtcDatetime | None = None
    vouched: tuple[str, ...] = ()
    orders: dict[str, UtcDatetime] = Field(default_factory=dict)
    undone: list[list[Any]] = Field(default_factory=list)
    undone_forgotten: UtcDatetime | None = None


class Past(Payload):
    """What could be read of a lost guard. `is_complete` says that nothing came after it."""

    snapshot: GuardSnapshot | None = None
    is_complete: bool = False


class GuardMemo(Payload):
    """What the guard shows on the server, so that everybody can read it without a worker.

    `recovered_run` is the run that last read a lost past: a run that was reset names another one.
    `demoted` names the first `MOST_DEMOTED` demoted rules.
    """

    stopped: bool
    generation: int = 0
    decisions: int = 0
    binding: Binding | None = None
    recovered_run: str | None = None
    demoted: tuple[str, ...] = ()
