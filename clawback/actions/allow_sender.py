"""`allow_sender`: exempt a sender from detections for a time."""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.base import Effect
from clawback.actions.policy import PolicyAction, PolicyFields
from clawback.model.addresses import PatternKind, canonical_pattern, pattern_problem
from clawback.model.durations import WrittenDuration, format_duration
from clawback.model.policies import Resource


class AllowAs(StrEnum):
    """What an allowed sender is exempt from: Spam, Spoof and Bulk, or every detection."""

    ACCEPTABLE_SENDER = "acceptable_sender"
    TRUSTED_SENDER = "trusted_sender"


class AllowSender(PolicyAction):
    """Exempt a sender from detections for a time. Two people must approve it in every mode."""

    resource: ClassVar[Resource] = Resource.ALLOW_POLICIES
    templated_fields: ClassVar[tuple[str, ...]] = ("pattern",)
    operations: ClassVar[tuple[str, ...]] = (
        "settings.allow_policies.create",
        "settings.allow_policies.delete",
    )

    name: Literal["allow_sender"] = "allow_sender"
    pattern: str = Field(
        description="The sender to allow; {field} takes the value of a group-by field",
        max_length=1024,
    )
    kind: PatternKind = Field(
        default=PatternKind.EMAIL, description="What the pattern is: email, domain or ip"
    )
    allow_as: AllowAs = Field(
        default=AllowAs.ACCEPTABLE_SENDER,
        description="What the sender is exempt from: Spam, Spoof and Bulk, or every detection",
    )
    verified: bool = Field(default=True, description="Only mail that passes DMARC, SPF or DKIM")
    expires_after: WrittenDuration = Field(
        default=timedelta(days=30), description="When the policy is removed again"
    )

    @property
    def canonical(self) -> str:
        """The pattern in the one form in which it is written and compared."""
        return canonical_pattern(self.pattern, self.kind)

    @property
    def has_wide_impact(self) -> bool:
        return True

    @property
    def effect(self) -> Effect:
        return Effect.RESTORES

    @property
    def protected_pattern(self) -> tuple[str, PatternKind]:
        """A protected domain is what others pretend to be: no rule may allow it either."""
        return self.canonical, self.kind

    @property
    def label(self) -> str:
        return self.canonical

    @property
    def fields(self) -> PolicyFields:
        return {
            "pattern": self.canonical,
            "pattern_type": self.kind.upper(),
            "is_regex": False,
            "is_exempt_recipient": False,
            "is_trusted_sender": self.allow_as is AllowAs.TRUSTED_SENDER,
            "is_acceptable_sender": self.allow_as is AllowAs.ACCEPTABLE_SENDER,
            "verify_sender": self.verified,
        }

    @property
    def problem(self) -> str | None:
        return pattern_problem(self.pattern, self.kind)

    def lifetime(self, repeats: int) -> timedelta:
        return self.expires_after

    def describe(self) -> str:
        level = self.allow_as.replace("_", " ")
        return f"allow {self.kind} for {format_duration(self.expires_after)}, as {level}"
