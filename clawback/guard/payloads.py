"""What is said between cases and the guard, and what the guard remembers."""

from datetime import timedelta

from pydantic import Field

from clawback.actions import BudgetKind
from clawback.cases.plan import Limit
from clawback.guard.sliding_counter import SlidingCounter
from clawback.model.durations import Duration
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class Surge(Payload):
    """When more than usual is too much.

    In one hour more than `least` and more than `factor` times the trailing hourly average.

    It is watched for every rule, and for every verdict of Cloudflare's: one that is suddenly wrong
    is as bad as a wrong rule.
    """

    least: int = 500
    factor: float = 10.0
    per: Duration = timedelta(hours=1)


class Budgets(Payload):
    """The budgets that hold at the moment of asking.

    Of all rules together, of a rule without its own, of one case.
    """

    overall: tuple[Limit, ...] = ()
    rule: tuple[Limit, ...] = ()
    campaign: int | None = None
    surge: Surge | None = None


class Reservation(Payload):
    """A case wants to do one act.

    `id` is unique for ever: asking again with the same id gives the same answer, and costs nothing.

    `count` is what it will spend; `spent` what the case has spent since a person last looked at it;
    `verdicts` what Cloudflare said of the messages; `subject` the hash of the pattern that is to be
    blocked; `approved` that people have agreed.
    """

    id: str
    rule: str
    budget: BudgetKind
    count: int
    spent: int = 0
    verdicts: dict[str, int] = Field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    subject: str | None = None
    approved: bool = False


class ReservationResult(Payload):
    """Whether the act may be done; if not, why people must be asked.

    `repeats` counts earlier blocks of the same pattern.
    """

    granted: bool
    reason: str = ""
    repeats: int = 0


class ReservationBatch(Payload):
    """Asks of one moment, with the budgets that hold then."""

    asks: tuple[Reservation, ...]
    budgets: Budgets = Budgets()


class Refund(Payload):
    """So much of what was granted to an ask was not spent."""

    id: str
    count: int


class Stop(Payload):
    """The kill switch is on: who, when, why."""

    by: str
    at: UtcDatetime
    reason: str = ""


class Demotion(Payload):
    """A rule whose work was undone.

    Until someone confirms it, its cases are held whatever its mode.
    """

    by: str
    at: UtcDatetime
    reason: str = ""
    undone: int = 1


class Grant(Payload):
    """What was granted to an ask, for giving the same answer again and for refunds."""

    rule: str
    budget: BudgetKind
    count: int
    at: UtcDatetime
    verdicts: dict[str, int] = Field(default_factory=dict)
    repeats: int = 0


class RepeatCount(Payload):
    """How often a pattern was blocked, and when last."""

    times: int
    at: UtcDatetime


class GuardSnapshot(Payload):
    """All the guard knows."""

    tallies: dict[str, SlidingCounter] = Field(default_factory=dict)
    grants: dict[str, Grant] = Field(default_factory=dict)
    repeats: dict[str, RepeatCount] = Field(default_factory=dict)
    demoted: dict[str, Demotion] = Field(default_factory=dict)
    stopped: Stop | None = None
    refused: int = 0
