"""What correlation shards exchange with ingest, activities and the command line."""

import hashlib
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from clawback.cases.plan import Match, group_hash
from clawback.correlation.sliding_window import CorrelationWindow
from clawback.model.audit_record import AuditRecord
from clawback.model.durations import Duration
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class CorrelationDefinition(Payload):
    """What a shard must know of a rule to count for it.

    `linger` is how long after an event its late records may still arrive.
    """

    rule: str
    window: CorrelationWindow
    linger: Duration = timedelta(minutes=30)

    @property
    def digest(self) -> str:
        """Identifies what is counted: rules that count differently never share a window."""
        text = f"{self.rule}\0{self.window.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def case_id(self, group: dict[str, str | None]) -> str:
        """The id of the case of a group, as `CasePlan.case_id`."""
        return f"case/{self.rule}/{group_hash(group)}"

    @property
    def lifetime(self) -> timedelta:
        """How long after its arrival an event can still become part of a window."""
        return self.window.reach + self.linger


class GroupMatches(Payload):
    """Matches of one rule and group. `definition` is the digest of a definition of the batch."""

    definition: str
    group: dict[str, str | None]
    matches: tuple[Match, ...]


class MatchBatch(Payload):
    """The matches of one page for one shard: the argument of the signal `matched`."""

    definitions: dict[str, CorrelationDefinition] = Field(default_factory=dict)
    groups: tuple[GroupMatches, ...] = ()

    def adding(self, definition: CorrelationDefinition, group: GroupMatches) -> "MatchBatch":
        """The batch with one more group."""
        definitions = {**self.definitions, definition.digest: definition}
        return MatchBatch(definitions=definitions, groups=(*self.groups, group))


class Delivery(Payload):
    """Matches of one satisfied group for its case.

    `opens`: the case opens if it is not open; otherwise it gets them only if it is still open.
    `window` describes the window that satisfied the correlation.
    """

    key: str
    definition: CorrelationDefinition
    group: dict[str, str | None]
    opens: bool
    window: str
    matches: tuple[Match, ...]

    @property
    def case_id(self) -> str:
        """The id of the case."""
        return self.definition.case_id(self.group)


class DeliveryBatch(Payload):
    """Deliveries that one activity makes."""

    deliveries: tuple[Delivery, ...]


class DeliveryResult(StrEnum):
    """What became of a delivery."""

    DELIVERED = "delivered"
    CASE_CLOSED = "case_closed"
    """The case has ended, so counting starts anew."""
    RULE_GONE = "rule_gone"
    RULE_CHANGED = "rule_changed"
    """The loaded version of the rule counts something else."""
    FAILED = "failed"
    """The server refused the signal; tried again later, by itself."""


class CountedWindow(Payload):
    """What is being counted for one rule and group, as people see it.

    `seen` of `wanted` is the progress of the closest window, `events` what the shard remembers.
    Values of `group` come from mail.
    """

    rule: str
    case: str
    group: dict[str, str | None]
    seen: int | float
    wanted: int | float
    missing: str
    events: int
    oldest: UtcDatetime
    newest: UtcDatetime


class ShardStatus(Payload):
    """How full a shard is; `waiting` counts the matches that wait for their case."""

    groups: int
    matches: int = 0
    bytes: int
    waiting: int


class GroupState(Payload):
    """One group in a snapshot: its entries are rows, see `clawback.correlation.shard_entry`."""

    definition: str
    group: dict[str, str | None]
    phase: str
    active_at: UtcDatetime
    window: str = ""
    reasons: tuple[str, ...] = ()
    failing_since: UtcDatetime | None = None
    retry_at: UtcDatetime | None = None
    entries: tuple[tuple[Any, ...], ...] = ()


class ShardSnapshot(Payload):
    """All that a shard knows: the argument of its workflow and of its next run."""

    definitions: dict[str, CorrelationDefinition] = Field(default_factory=dict)
    groups: tuple[GroupState, ...] = ()
    runs: int = 0
    pending_records: tuple[AuditRecord, ...] = ()
