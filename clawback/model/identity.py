"""Who somebody is, how that is known, and what they may do."""

import hashlib
from enum import StrEnum
from typing import Any

from pydantic import Field

from clawback.model.payload import Payload
from clawback.model.texts import bounded

_LONGEST = 120
"""Bytes of a name or subject: long enough for mail addresses."""


class Role(StrEnum):
    """What somebody may do; each role includes the ones before it."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    OPERATOR = "operator"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what another may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class IdentitySource(StrEnum):
    """Who says who somebody is."""

    LOCAL = "local"
    """The operating system of the machine on which a command runs."""
    OIDC = "oidc"
    """An OpenID Connect provider."""
    ACCESS = "access"
    """Cloudflare Access."""
    TOKEN = "token"  # noqa: S105 - a name, not a secret
    """An API token, which an operator gave to a machine."""
    SERVICE = "service"
    """clawback itself."""


class Identity(Payload):
    """One person as an identity provider or the operating system knows them.

    `issuer` and `subject` identify the person; `name` is for people to read. `is_verified` says
    that an identity provider vouches for it. `host` is the machine of a command.
    """

    source: IdentitySource = IdentitySource.LOCAL
    issuer: str = Field(default="", max_length=500)
    subject: str = Field(max_length=500, min_length=1)
    name: str = Field(default="", max_length=500)
    host: str = Field(default="", max_length=500)
    is_verified: bool = False
    roles: tuple[Role, ...] = ()

    @property
    def person(self) -> tuple[str, str, str]:
        """The same for everything that one person does, and different for two persons."""
        subject = self.subject if self.is_verified else " ".join(self.subject.split()).casefold()
        return self.source, self.issuer, subject

    @property
    def id(self) -> str:
        """A short hash of the person, to find their cases; it names nobody."""
        return hashlib.sha256("\0".join(self.person).encode()).hexdigest()[:12]

    @property
    def spellings(self) -> frozenset[str]:
        """What people may call the person by: id, subject or name, in lower case."""
        return frozenset({self.id, self.subject.casefold(), self.label.casefold()})

    @property
    def label(self) -> str:
        """How people know the person."""
        return bounded(self.name or self.subject, _LONGEST)

    def may(self, role: Role) -> bool:
        """Whether the person has a role, or one that includes it."""
        return any(own.includes(role) for own in self.roles)


SERVICE = "clawback"
"""The actor of everything that clawback does by itself."""


class Actor(Payload):
    """Who does something, and on whose behalf, as they say."""

    identity: Identity
    on_behalf_of: str = Field(default="", max_length=500)

    @property
    def label(self) -> str:
        """How people know who acts; never who they say they act for."""
        return self.identity.label

    @property
    def audit_fields(self) -> dict[str, Any]:
        """The fields of an audit record that say who acts."""
        if self.identity.source is IdentitySource.SERVICE:
            return {"actor": SERVICE}
        return {
            "actor": self.label,
            "verified": self.identity.is_verified,
            "host": bounded(self.identity.host, _LONGEST) or None,
            "on_behalf_of": bounded(self.on_behalf_of, _LONGEST) or None,
        }


OURSELVES = Actor(
    identity=Identity(
        source=IdentitySource.SERVICE, subject=SERVICE, is_verified=True, roles=tuple(Role)
    )
)
"""clawback itself, where it orders something as a person could."""
