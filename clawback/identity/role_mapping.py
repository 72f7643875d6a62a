"""Which roles the claims of a token give."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clawback.model.identity import Identity, IdentitySource, Role
from clawback.model.texts import bounded, printable

_LONGEST = 200
_MOST_NAMES = 50
_LATEST = 4e9
"""Seconds since 1970; a time after it is no time of ours."""


@dataclass(frozen=True)
class Verified:
    """What the verified claims of a token say of somebody.

    `auth_time` is when they last proved who they are, if the provider says so. `claim_names` are
    the names of all claims, to be shown to somebody who has no role.
    """

    identity: Identity
    issued_at: datetime
    expires_at: datetime
    auth_time: datetime | None = None
    claim_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleMapping:
    """Whose values of one claim mean which role. Who has none of them has no role."""

    claim: str = "groups"
    groups: Mapping[Role, Collection[str]] = field(default_factory=dict)

    def roles_of(self, claims: Mapping[str, Any]) -> tuple[Role, ...]:
        """Return the roles of somebody; a dot in the claim's name goes into an object."""
        values = set(_texts(_value(claims, self.claim)))
        return tuple(role for role in Role if values & set(self.groups.get(role, ())))

    def is_in(self, claims: Mapping[str, Any]) -> bool:
        """Whether the claim is there, whatever it says."""
        return _value(claims, self.claim) is not None

    def identify(self, claims: Mapping[str, Any], source: IdentitySource, host: str) -> Identity:
        """Build the identity of somebody whose claims are verified."""
        names = (claims.get(one) for one in ("email", "preferred_username", "name"))
        name = next((one for one in names if isinstance(one, str) and one), "")
        return Identity(
            source=source,
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            name=bounded(name, _LONGEST),
            host=host,
            is_verified=True,
            roles=self.roles_of(claims),
        )

    def read(self, claims: Mapping[str, Any], source: IdentitySource) -> Verified:
        """Read everything that verified claims say of somebody."""
        names = sorted(bounded(printable(name), _LONGEST) for name in claims)
        return Verified(
            identity=self.identify(claims, source, ""),
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(min(claims["exp"], _LATEST), UTC),
            auth_time=_read_time(claims.get("auth_time")),
            claim_names=tuple(names[:_MOST_NAMES]),
        )


def _read_time(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def _value(claims: Mapping[str, Any], path: str) -> object:
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    return (one for one in values if isinstance(one, str))
