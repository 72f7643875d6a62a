"""The options of a simulator: what the API leaves open, and which tokens it accepts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from clawback.simulator.faults import FaultRates
from clawback.simulator.rate_limit import DEFAULT_RATE, Rate


class Order(StrEnum):
    """The order of search results. The API documents none, so clients must not rely on one."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


class Shape(StrEnum):
    """The generation of field names in responses.

    `new`: what the OpenAPI document and SDK 5.9.0 require, and no other deprecated names. `old`:
    deprecated names as well, integer ids in settings, postfix ids accepted as investigate ids.
    `lean`: nothing past its end of life, even if required; strict clients fail on it.
    """

    NEW = "new"
    OLD = "old"
    LEAN = "lean"


class MoveIdentity(StrEnum):
    """What `message_id` means in the response to a move; the API does not say (reference §2.2)."""

    INVESTIGATE = "investigate"
    POSTFIX = "postfix"
    HEADER = "header"


class BodyForm(StrEnum):
    """Which of two contradictory request bodies is accepted (reference §4.3)."""

    EITHER = "either"
    CURRENT = "current"
    FORMER = "former"


class ReviewVerdict(StrEnum):
    """How submissions are decided: as requested, or with the original disposition."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class TokenScope(StrEnum):
    """What a token may do: write, read, or nothing."""

    WRITE = "write"
    READ = "read"
    NONE = "none"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """The options. By default the simulator is the API as documented in November 2026.

    `rate` None means no limit; empty `tokens` means that every token may write.
    `refuse_duplicates` answers a duplicate pattern with 409. Without `page_reports`, PhishGuard
    reports ignore `page` and `per_page`. Submissions are decided by `verdict` after `outcome_after`
    seconds; one step of a bulk job takes `job_step` seconds.
    """

    rate: Rate | None = DEFAULT_RATE
    faults: FaultRates = field(default_factory=FaultRates)
    seed: int = 0
    order: Order = Order.NEWEST
    shape: Shape = Shape.NEW
    move_identity: MoveIdentity = MoveIdentity.INVESTIGATE
    release_body: BodyForm = BodyForm.EITHER
    preview_body: BodyForm = BodyForm.EITHER
    refuse_duplicates: bool = False
    page_reports: bool = True
    outcome_after: float = 5.0
    verdict: ReviewVerdict = ReviewVerdict.ACCEPTED
    job_step: float = 0.5
    tokens: Mapping[str, TokenScope] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now
