"""How a simulator behaves where the API leaves it open, and who may call it.

Values only; nothing here acts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from clawback.simulator.faults import Faults
from clawback.simulator.rate_limit import DEFAULT_RATE, Rate


class Order(StrEnum):
    """In which order the investigate list answers.

    The API documents none, so a client must not rely on any.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    SHUFFLED = "shuffled"


class Shape(StrEnum):
    """Which generation of field names is sent.

    `new`: what the OpenAPI document and the SDK 5.9.0 models require, and no other deprecated name.
    `old`: the deprecated names beside the new ones, integer ids in settings, and postfix ids
    accepted where investigate ids are due. `lean`: nothing past its end of life, required or not; a
    strict client fails on it, a tolerant one must not.
    """

    NEW = "new"
    OLD = "old"
    LEAN = "lean"


class MoveIdentity(StrEnum):
    """What `message_id` means in the answer to a move; the API does not say (reference §2.2)."""

    INVESTIGATE = "investigate"
    POSTFIX = "postfix"
    HEADER = "header"


class BodyForm(StrEnum):
    """Which of two disputed request bodies is accepted (reference §4.3).

    The current one, the former one, or either.
    """

    EITHER = "either"
    CURRENT = "current"
    FORMER = "former"


class ReviewVerdict(StrEnum):
    """What becomes of a submission: it is decided as requested, or stays as it was."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Scope(StrEnum):
    """What a token may do: change things, only read, or nothing at all."""

    WRITE = "write"
    READ = "read"
    NONE = "none"


def utc_now() -> datetime:
    """The time by the machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Everything that can be chosen; the defaults are the API as documented in November 2026.

    `rate` None means no limit. `tokens` empty means that any token may do anything.
    `refuse_duplicates` answers 409 to a second equal pattern, `page_reports` false ignores `page`
    and `per_page` on PhishGuard reports. Submissions are decided as `verdict` says, `outcome_after`
    seconds later; one step of a bulk job takes `job_step` seconds.
    """

    rate: Rate | None = DEFAULT_RATE
    faults: Faults = field(default_factory=Faults)
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
    tokens: Mapping[str, Scope] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now
