"""A block of ours over its whole life.

What is known of it, whether it is still ours, and how it ended. Pure; talks to nobody.
"""

from enum import StrEnum
from typing import Protocol

from clawback.model.addresses import PatternKind
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class BlockRecord(Protocol):
    """What the API says of a block that stands (reference §1.6)."""

    @property
    def pattern(self) -> str | None:
        """What it matches."""

    @property
    def pattern_type(self) -> str | None:
        """EMAIL, DOMAIN, IP or UNKNOWN."""

    @property
    def is_regex(self) -> bool | None:
        """Whether the pattern is a regular expression."""

    @property
    def comments(self) -> str | None:
        """Where our mark is."""


class OwnedBlock(Payload):
    """A block of ours: its id, the owner mark in its comments, and what it matched when made."""

    id: str
    owner: str
    pattern: str
    kind: PatternKind

    def is_still(self, record: BlockRecord) -> bool:
        """Whether the API's record is still this block: it has our mark, and matches the same."""
        if self.owner not in (record.comments or ""):
            return False
        same = (record.pattern or "").strip().lower() == self.pattern.strip().lower()
        return same and (record.pattern_type or "").lower() == self.kind and not record.is_regex


class ExpiringBlock(Payload):
    """A block of ours, when it ends, and on whose behalf it was made."""

    block: OwnedBlock
    expires_at: UtcDatetime
    rule: str
    case: str


class Removal(StrEnum):
    """How a block of ours ended; the values are outcomes in the audit."""

    REMOVED = "removed"
    GONE = "already_gone"
    LEFT_ALONE = "left_alone"
    """It bears our mark no longer, or matches something else by now.

    Whoever changed it keeps it.
    """


class EndedBlock(Payload):
    """How a block of ours, or a policy, ended."""

    removal: Removal
