"""A block of ours over its whole life.

What is known of it, whether it is still ours, and how it ended. Pure; talks to nobody.
"""

from enum import StrEnum
from typing import Any, Protocol

from pydantic import model_validator

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
    """A block of ours: its id, the mark in its comments, and what it matched when it was made (None where a former release made it)."""

    id: str
    owner: str
    pattern: str | None = None
    kind: PatternKind | None = None

    def is_still(self, record: BlockRecord) -> bool:
        """Whether a block that stands is this one.

        It bears our mark, and nobody has changed what it matches.
        """
        if self.owner not in (record.comments or ""):
            return False
        if self.pattern is None or self.kind is None:
            return True
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
    """What became of a block whose time was up.

    Former releases said True where it was removed, and False otherwise.
    """

    removal: Removal

    @model_validator(mode="before")
    @classmethod
    def _former(cls, value: Any) -> Any:
        return (
            {"removal": Removal.REMOVED if value else Removal.GONE}
            if isinstance(value, bool)
            else value
        )
