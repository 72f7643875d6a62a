"""What a case is told when it starts, and what it is told of each event.

The payloads between ingest and the case workflow.
"""

import hashlib
import json
from functools import lru_cache

from pydantic import Field

from clawback.actions import Action, BudgetKind, Notification
from clawback.correlation.sliding_window import CorrelationWindow, Link
from clawback.model.durations import Duration, format_duration
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class Limit(Payload):
    """A budget: how much of one kind may be spent in a sliding window.

    Exactly one kind is given.
    """

    messages: int | None = None
    blocks: int | None = None
    reclassifications: int | None = None
    policies: int | None = None
    per: Duration

    @property
    def kind(self) -> BudgetKind:
        """What it counts."""
        return next(
            (kind for kind in BudgetKind if getattr(self, kind) is not None), BudgetKind.MESSAGES
        )

    @property
    def most(self) -> int:
        """How much of that may be spent."""
        return getattr(self, self.kind) or 0

    def __str__(self) -> str:
        """`500 messages per 1h`."""
        return f"{self.most:,} {self.kind} per {format_duration(self.per)}"


class CasePlan(Payload):
    """The response of one rule, frozen for one group of events.

    Templates are filled in, the mode is the effective one.

    `version` is the hash of the rule as it was; `group` the fields of `group-by` with their values
    (None where the event had none); `refusals` the actions, by position, that safety forbids for
    this group, each with its reason; `notifications` are sent once the actions are done.
    """

    rule: str
    version: str
    title: str = ""
    level: str = "medium"
    mode: Mode = Mode.SHADOW
    group: dict[str, str | None] = Field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    notifications: tuple[Notification, ...] = ()
    refusals: dict[int, str] = Field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    watch: CorrelationWindow | None = None

    @property
    def case_id(self) -> str:
        """`case/<rule>/<hash of the group>`: no address can be read from it."""
        return f"case/{self.rule}/{group_hash(self.group)}"


class Match(Payload):
    """One event that matched, as it is signalled to its case.

    `key` is the event's; `rule` the rule that matched it (a correlation's referenced rule); `value`
    what a `value_count` counts. `identity` is the record's where that differs: a record that
    changes is several events, and a window counts it once. `why` are the reasons for which the rule
    is true of it, of the first match of a page that goes to a case. `reporter` is the address of
    the user who submitted it, where somebody is to be told.
    """

    key: str
    identity: str = ""
    at: UtcDatetime
    seen_at: UtcDatetime
    rule: str = ""
    value: str | None = None
    links: tuple[Link, ...] = ()
    targets: tuple[Target, ...] = ()
    handled: bool = False
    why: tuple[str, ...] = ()
    reporter: str | None = None

    @property
    def sighted_as(self) -> str:
        """What windows count it by."""
        return self.identity or self.key


def group_hash(group: dict[str, str | None]) -> str:
    """Hash a group so that its values cannot be read from an id.

    16 hex digits, equal for equal groups whatever their order.
    """
    return _hash_of(tuple(group.items()))


@lru_cache(maxsize=4096)
def _hash_of(group: tuple[tuple[str, str | None], ...]) -> str:
    """Remember the last ones.

    Every rule that matches an event, and every event of a campaign, asks for the same.
    """
    canonical = json.dumps(sorted(group), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
