"""Who may do what: roles, sign-in, and decisions that need two people."""

from dataclasses import dataclass

from clawback.model.identity import Identity, IdentitySource, Role


@dataclass(frozen=True)
class Policy:
    """What the installation asks of people.

    `has_provider` says that an identity provider is set up: who decides must have signed in.
    `allows_unverified` says that `safety.yml` lets two people approve who have not.
    """

    has_provider: bool = False
    allows_unverified: bool = False


def role_to_undo(*, is_wide: bool) -> Role:
    """Return the role that an undo takes: wide is one of a rule or a time, not of things named."""
    return Role.OPERATOR if is_wide else Role.ANALYST


def refusal(  # noqa: PLR0913 - what somebody may depends on all of it
    identity: Identity,
    role: Role | None,
    policy: Policy,
    *,
    to: str,
    people: int = 1,
    in_person: bool = False,
) -> str | None:
    """Say why somebody may not do something that takes a role; None if they may.

    `to` is what they want, as an infinitive without "to"; `people` is how many must agree to it.
    `in_person` says that no API token may do it, whatever its role.
    """
    if identity.source is IdentitySource.TOKEN and (in_person or people > 1):
        why = f"this needs {people} people, and {identity.label} is none" if people > 1 else ""
        return f"{why or f'no API token may {to}'}: sign in, and do it in person"
    if role is None:
        return None
    if policy.has_provider and not identity.is_verified:
        return f"to {to}, sign in first: `clawback login`"
    if not identity.may(role):
        own = ", ".join(identity.roles) or "no role"
        return f"to {to} takes the role {role}; {identity.label} has {own}"

    if people > 1 and not identity.is_verified and not policy.allows_unverified:
        return (
            f"this needs {people} people, and nobody vouches for {identity.label}: set up an "
            "identity provider (docs/operations/identity.md), or accept names of the operating "
            "system with `unverified_approvals: allowed` in safety.yml"
        )
    return None
