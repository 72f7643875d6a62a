"""`trust_domain`: trust a new or look-alike domain for a time."""

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.base import Effect
from clawback.actions.policy import PolicyAction, PolicyFields
from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.durations import WrittenDuration, format_duration
from clawback.model.notations import canonical_domain
from clawback.model.policies import Resource


class TrustDomain(PolicyAction):
    """Trust a new or look-alike domain for a time. Two people must approve it in every mode."""

    resource: ClassVar[Resource] = Resource.TRUSTED_DOMAINS
    templated_fields: ClassVar[tuple[str, ...]] = ("pattern",)
    operations: ClassVar[tuple[str, ...]] = (
        "settings.trusted_domains.create",
        "settings.trusted_domains.delete",
    )

    name: Literal["trust_domain"] = "trust_domain"
    pattern: str = Field(
        description="The domain; {field} takes the value of a group-by field", max_length=1024
    )
    recent: bool = Field(default=True, description="Trust it although it is new")
    similar: bool = Field(default=False, description="Trust it although it looks like another")
    expires_after: WrittenDuration = Field(
        default=timedelta(days=30), description="When the entry is removed again"
    )

    @property
    def canonical(self) -> str:
        """The domain in the one form in which it is written and compared."""
        return canonical_domain(self.pattern)

    @property
    def has_wide_impact(self) -> bool:
        return True

    @property
    def effect(self) -> Effect:
        return Effect.RESTORES

    @property
    def protected_pattern(self) -> tuple[str, PatternKind]:
        return self.canonical, PatternKind.DOMAIN

    @property
    def label(self) -> str:
        return self.canonical

    @property
    def fields(self) -> PolicyFields:
        return {
            "pattern": self.canonical,
            "is_regex": False,
            "is_recent": self.recent,
            "is_similarity": self.similar,
        }

    @property
    def problem(self) -> str | None:
        if not self.recent and not self.similar:
            return "trusts_nothing"
        return pattern_problem(self.pattern, PatternKind.DOMAIN)

    def lifetime(self, repeats: int) -> timedelta:
        return self.expires_after

    def describe(self) -> str:
        return f"trust the domain for {format_duration(self.expires_after)}"
