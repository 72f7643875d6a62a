"""`block_sender`: block a sender for new mail, for a time."""

import hashlib
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from clawback.actions.base import BudgetKind, Effect
from clawback.actions.outcomes import BLOCKED
from clawback.actions.policy import PolicyAction, PolicyFields
from clawback.model.addresses import PatternKind, canonical_pattern, pattern_problem
from clawback.model.durations import GrowingDurations, format_duration
from clawback.model.mailboxes import canonical_mailbox
from clawback.model.policies import Resource, block_fields


class BlockSender(PolicyAction):
    """Block a sender for new mail, for a time. Mail already delivered stays where it is."""

    budget: ClassVar[BudgetKind] = BudgetKind.BLOCKS
    resource: ClassVar[Resource] = Resource.BLOCK_SENDERS
    created_outcome: ClassVar[str] = BLOCKED
    refusal: ClassVar[str] = "never_block"
    templated_fields: ClassVar[tuple[str, ...]] = ("pattern",)
    operations: ClassVar[tuple[str, ...]] = (
        "settings.block_senders.create",
        "settings.block_senders.delete",
    )

    name: Literal["block_sender"] = "block_sender"
    pattern: str = Field(
        description="What to block; {field} takes the value of a group-by field", max_length=1024
    )
    kind: PatternKind = Field(
        default=PatternKind.EMAIL, description="What the pattern is: email, domain or ip"
    )
    variants: bool = Field(
        default=False,
        # Approvals cover the action as written: what is not said changes no digest.
        exclude_if=lambda value: not value,
        description="Whether to block every name of the mailbox: with other tags after a plus "
        "sign, with other dots at Gmail",
    )
    expires_after: GrowingDurations = Field(
        default=(timedelta(days=30),),
        description="When the block is removed again; in a list, the first duration is for the "
        "first block of a pattern, the second for the next, and so on",
    )

    @model_validator(mode="after")
    def _check_variants(self) -> Self:
        if self.variants and self.kind is not PatternKind.EMAIL:
            raise ValueError(f"a {self.kind} has no variants; remove variants, or kind")
        return self

    @property
    def canonical(self) -> str:
        """The pattern in the one form in which it is written and compared."""
        if self.variants:
            return canonical_mailbox(self.pattern)
        return canonical_pattern(self.pattern, self.kind)

    @property
    def has_wide_impact(self) -> bool:
        """A domain or network may cover more senders than intended."""
        return self.kind is not PatternKind.EMAIL

    @property
    def effect(self) -> Effect:
        return Effect.WITHHOLDS

    @property
    def protected_pattern(self) -> tuple[str, PatternKind]:
        return self.canonical, self.kind

    @property
    def guard_subject(self) -> str:
        return hashlib.sha256(f"{self.kind}:{self.canonical}".encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        return self.canonical

    @property
    def fields(self) -> PolicyFields:
        return block_fields(self.canonical, self.kind, variants=self.variants)

    @property
    def problem(self) -> str | None:
        return pattern_problem(self.pattern, self.kind)

    def lifetime(self, repeats: int) -> timedelta:
        """The last duration applies to all further repeats."""
        return self.expires_after[min(repeats, len(self.expires_after) - 1)]

    def describe(self) -> str:
        subject = "every name of a mailbox" if self.variants else self.kind
        return f"block {subject} for {self._lifetimes}"

    def describe_inverse(self) -> str:
        return f"It ends by itself after {self._lifetimes}. {self.inverse}"

    @property
    def _lifetimes(self) -> str:
        return ", then ".join(format_duration(duration) for duration in self.expires_after)
