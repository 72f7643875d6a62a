"""The plan of a case and the matches sent to it: the payloads from ingest to the case workflow."""

import hashlib
import json
import operator
from datetime import datetime
from functools import lru_cache
from typing import Final

from pydantic import Field

from clawback.actions import Action, BudgetKind, Move, Notification
from clawback.correlation.sliding_window import CorrelationWindow, Link
from clawback.model.durations import Duration, format_duration
from clawback.model.level import Level
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


def _is_none(value: object) -> bool:
    return value is None


class Limit(Payload):
    """A budget: how much of one kind may be spent in a sliding window. Exactly one kind is set."""

    messages: int | None = None
    blocks: int | None = None
    reclassifications: int | None = None
    policies: int | None = None
    held_messages: int | None = None
    per: Duration

    @property
    def kind(self) -> BudgetKind:
        """The kind that is set."""
        return next(
            (kind for kind in BudgetKind if getattr(self, kind) is not None), BudgetKind.MESSAGES
        )

    @property
    def most(self) -> int:
        """The most that may be spent."""
        return getattr(self, self.kind) or 0

    def with_most(self, most: int) -> "Limit":
        """The same kind and window, with another limit."""
        return self.model_copy(update={self.kind.value: most})

    def __str__(self) -> str:
        """`500 messages per 1h`."""
        return f"{self.most:,} {self.kind.label} per {format_duration(self.per)}"


MOVE_WHILE_HELD: Final = "move_while_held"
GIVE_BACK_NAME: Final = "give_back"
"""What records and summaries call what a case does besides its response."""
GIVE_BACK: Final = Move(destination=Destination.INBOX)
"""How a denied case takes back what it moved while it was held."""


class CasePlan(Payload):
    """The response of one rule, frozen for one group of events.

    Templates are filled in; the mode is the effective one. `version` is the hash of the rule,
    `actions_version` that of its actions and grouping, `condition_version` that of its condition
    with exceptions and of the delivery modes that are ignored.
    `group` holds the fields of `group-by` with their values (None: the event had none). `refusals`
    maps positions of actions that safety.yml forbids to the reason.
    `while_held` is what the case does with messages while it waits for people, if it may act alone.
    """

    rule: str
    version: str
    actions_version: str = ""
    condition_version: str = ""
    title: str = ""
    level: Level = Level.MEDIUM
    mode: Mode = Mode.SHADOW
    group: dict[str, str | None] = Field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    notifications: tuple[Notification, ...] = ()
    refusals: dict[int, str] = Field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    correlation: CorrelationWindow | None = None
    while_held: Move | None = Field(default=None, exclude_if=_is_none)

    @property
    def case_id(self) -> str:
        """`case/<rule>/<hash of the group>`: no address can be read from it."""
        return f"case/{self.rule}/{group_hash(self.group)}"

    @property
    def all_actions(self) -> tuple[Action, ...]:
        """Every action that has outcomes: those of the plan, then `while_held` and its inverse."""
        if self.while_held is None:
            return self.actions
        return (*self.actions, self.while_held, GIVE_BACK)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Name all of them as records do."""
        beside = (MOVE_WHILE_HELD, GIVE_BACK_NAME) if self.while_held is not None else ()
        return (*(action.name for action in self.actions), *beside)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Describe all of them."""
        own = tuple(action.describe() for action in self.actions)
        if self.while_held is None:
            return own
        return (*own, f"{self.while_held.describe()} while held", "give back to the inbox")


class Match(Payload):
    """One event that matched, as it is signalled to its case.

    `key` is that of the event; `identity` that of its record, if it differs: a record that changes
    is several events, and a correlation counts it once. `rule` is the rule that matched, for a
    correlation the referenced one; `values` are what a `value_count` counts, or the number that
    others add up. `reasons` says why the rule matched, on the first match of a page for a case.
    `reporter` is the address of the user who submitted the message, if somebody is to be notified.
    `condition_version` is that of the plan which was made for it. `is_late` says that its record
    could not be read at `at` yet: its time had been read before without it.
    """

    key: str
    identity: str = ""
    at: UtcDatetime
    seen_at: UtcDatetime
    rule: str = ""
    values: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    targets: tuple[Target, ...] = ()
    handled: bool = False
    reasons: tuple[str, ...] = ()
    reporter: str | None = None
    condition_version: str = ""
    is_late: bool = Field(default=False, exclude_if=operator.not_)

    @property
    def visible_at(self) -> datetime:
        """Since when it could be read, as far as that is known."""
        return self.seen_at if self.is_late else self.at

    @property
    def window_key(self) -> str:
        """The key by which correlations count it."""
        return self.identity or self.key


def group_hash(group: dict[str, str | None]) -> str:
    """Hash a group to 16 hex digits, equal for equal groups in any order.

    Its values cannot be read from the hash.
    """
    return _hash_of(tuple(group.items()))


@lru_cache(maxsize=4096)
def _hash_of(group: tuple[tuple[str, str | None], ...]) -> str:
    """Cached: every rule that matches an event, and every event of a campaign, hash the same."""
    canonical = json.dumps(sorted(group), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
