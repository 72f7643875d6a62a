"""`protect_identity`: put a name and its address on the impersonation registry."""

from typing import ClassVar, Literal

from pydantic import Field

from clawback.actions.policy import PolicyAction, PolicyFields
from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.notations import canonical_address
from clawback.model.policies import Resource


class ProtectIdentity(PolicyAction):
    """Put a name and its address on the impersonation registry. The entry does not expire."""

    resource: ClassVar[Resource] = Resource.IMPERSONATION_REGISTRY
    templated_fields: ClassVar[tuple[str, ...]] = ("display_name", "email")
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
        return canonical_address(self.email)

    @property
    def fields(self) -> PolicyFields:
        return {
            "name": self.display_name,
            "email": canonical_address(self.email),
            "is_email_regex": False,
        }

    @property
    def problem(self) -> str | None:
        if not self.display_name.strip():
            return "no_name"
        return pattern_problem(self.email, PatternKind.EMAIL)

    def describe(self) -> str:
        return "protect the name"
