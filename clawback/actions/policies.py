"""Policies of the account that a rule may make.

Who is let off, which domain is trusted, whom nobody may pretend to be.

Each says which list of the API it goes into (`resource`, below `settings`) and with which fields;
everything else about them is one: our mark in the comments, a look before and after every creation,
an end, and removal only while they are still ours. Source: reference §1.6, §2.5.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.scope import Scope, Spend
from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.durations import Duration, format_duration
from clawback.model.payload import Payload

PolicyFields = Mapping[str, str | bool]
"""What a policy is made of, as the API names it; without comments."""


class Resource(StrEnum):
    """The lists that policies are in, as the client names them."""

    ALLOW_POLICIES = "allow_policies"
    TRUSTED_DOMAINS = "trusted_domains"
    IMPERSONATION_REGISTRY = "impersonation_registry"


class Leniency(StrEnum):
    """What an allowed sender is let off: Spam, Spoof and Bulk, or every detection."""

    ACCEPTABLE = "acceptable"
    TRUSTED = "trusted"


class PolicyAction(Payload):
    """What all of them share."""

    scope: ClassVar[Scope] = Scope.CASE
    spends: ClassVar[Spend] = Spend.POLICIES
    resource: ClassVar[Resource]
    templated: ClassVar[tuple[str, ...]]
    widens: ClassVar[bool]
    operations: ClassVar[tuple[str, ...]]
    name: str

    @property
    def label(self) -> str:
        """What it is about, in one text: what its outcome is recorded under."""
        raise NotImplementedError

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        raise NotImplementedError

    @property
    def fields(self) -> PolicyFields:
        """What it is made of."""
        raise NotImplementedError

    @property
    def problem(self) -> str | None:
        """Why the API would not take it, in a few fixed words; None where it would."""
        raise NotImplementedError

    @property
    def matched(self) -> tuple[str, PatternKind] | None:
        """What it lets in, for the lists that say what no rule may touch.

        None where it lets nothing in.
        """
        return None

    @property
    def term(self) -> timedelta | None:
        """How long it stands; None for ever."""
        return None


class AllowSender(PolicyAction):
    """Let a sender off for a time.

    Two people must agree, whatever the mode. Inverse: remove the policy if it is still ours.
    """

    resource: ClassVar[Resource] = Resource.ALLOW_POLICIES
    templated: ClassVar[tuple[str, ...]] = ("pattern",)
    widens: ClassVar[bool] = True
    operations: ClassVar[tuple[str, ...]] = (
        "settings.allow_policies.create",
        "settings.allow_policies.delete",
    )
    name: Literal["allow_sender"] = "allow_sender"
    pattern: str = Field(
        description="Whom to allow; {field} takes the value of a group-by field", max_length=1024
    )
    kind: PatternKind = Field(
        default=PatternKind.EMAIL, description="What the pattern is: email, domain or ip"
    )
    off: Leniency = Field(
        default=Leniency.ACCEPTABLE,
        description="What they are let off: Spam, Spoof and Bulk, or every detection",
    )
    verified: bool = Field(default=True, description="Only mail that passes DMARC, SPF or DKIM")
    expires_after: Duration = Field(
        default=timedelta(days=30), gt=timedelta(), description="When the policy is removed again"
    )

    @property
    def label(self) -> str:
        """The pattern."""
        return self.pattern

    @property
    def said(self) -> str:
        """With what the sender is let off."""
        return f"allow {self.kind} for {format_duration(self.expires_after)}, as {self.off}"

    @property
    def fields(self) -> PolicyFields:
        """An allow policy."""
        return {
            "pattern": self.pattern,
            "pattern_type": self.kind.upper(),
            "is_regex": False,
            "is_exempt_recipient": False,
            "is_trusted_sender": self.off is Leniency.TRUSTED,
            "is_acceptable_sender": self.off is Leniency.ACCEPTABLE,
            "verify_sender": self.verified,
        }

    @property
    def problem(self) -> str | None:
        """As of a block."""
        return pattern_problem(self.pattern, self.kind)

    @property
    def matched(self) -> tuple[str, PatternKind]:
        """The sender."""
        return self.pattern, self.kind

    @property
    def term(self) -> timedelta:
        """As the rule says."""
        return self.expires_after


class TrustDomain(PolicyAction):
    """Trust a domain that is new, or like another, for a time.

    Two people must agree. Inverse: remove the entry if it is still ours.
    """

    resource: ClassVar[Resource] = Resource.TRUSTED_DOMAINS
    templated: ClassVar[tuple[str, ...]] = ("pattern",)
    widens: ClassVar[bool] = True
    operations: ClassVar[tuple[str, ...]] = (
        "settings.trusted_domains.create",
        "settings.trusted_domains.delete",
    )
    name: Literal["trust_domain"] = "trust_domain"
    pattern: str = Field(
        description="The domain; {field} takes the value of a group-by field", max_length=1024
    )
    recent: bool = Field(default=True, description="It may be new")
    similar: bool = Field(default=False, description="It may look like another")
    expires_after: Duration = Field(
        default=timedelta(days=30), gt=timedelta(), description="When the entry is removed again"
    )

    @property
    def label(self) -> str:
        """The domain."""
        return self.pattern

    @property
    def said(self) -> str:
        """How long it is trusted."""
        return f"trust the domain for {format_duration(self.expires_after)}"

    @property
    def fields(self) -> PolicyFields:
        """A trusted domain."""
        return {
            "pattern": self.pattern,
            "is_regex": False,
            "is_recent": self.recent,
            "is_similarity": self.similar,
        }

    @property
    def problem(self) -> str | None:
        """It must be a domain, and be trusted for something."""
        return pattern_problem(self.pattern, PatternKind.DOMAIN) or (
            None if self.recent or self.similar else "trusts_nothing"
        )

    @property
    def matched(self) -> tuple[str, PatternKind]:
        """The domain."""
        return self.pattern, PatternKind.DOMAIN

    @property
    def term(self) -> timedelta:
        """As the rule says."""
        return self.expires_after


class ProtectIdentity(PolicyAction):
    """Put a name and its address on the list of those that nobody may pretend to be.

    Inverse: remove the entry if it is still ours.
    """

    resource: ClassVar[Resource] = Resource.IMPERSONATION_REGISTRY
    templated: ClassVar[tuple[str, ...]] = ("display_name", "email")
    widens: ClassVar[bool] = False
    operations: ClassVar[tuple[str, ...]] = (
        "settings.impersonation_registry.create",
        "settings.impersonation_registry.delete",
    )
    name: Literal["protect_identity"] = "protect_identity"
    display_name: str = Field(
        description="The name; {field} takes the value of a group-by field", max_length=1024
    )
    email: str = Field(description="The address that may use it; {field} as above", max_length=1024)

    @property
    def label(self) -> str:
        """The address."""
        return self.email

    @property
    def said(self) -> str:
        """Always the same."""
        return "protect the name"

    @property
    def fields(self) -> PolicyFields:
        """An entry of the impersonation registry."""
        return {"name": self.display_name, "email": self.email, "is_email_regex": False}

    @property
    def problem(self) -> str | None:
        """Both must be there, and the address be one."""
        return pattern_problem(self.email, PatternKind.EMAIL) or (
            None if self.display_name.strip() else "no_name"
        )
