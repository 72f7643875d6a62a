"""Who may do what: roles, sign-in, and decisions that need two people."""

from dataclasses import dataclass

from clawback.model.identity import Identity, Role


@dataclass(frozen=True)
class Policy:
    """What the installation asks of people.

    `has_provider` says that an identity provider is set up: who decides must have signed in.
    `allows_unverified` says that `safety.yml` lets two people approve who have not.
    """

    has_provider: bool = False
    allows_unverified: bool = False


def refusal(
    identity: Identity, role: Role | None, policy: Policy, *, to: str, people: int = 1
) -> str | None:
    """Say why somebody may not do something that takes a role; None if they may.

    `to` is what they want, as an infinitive without "to"; `people` is how many must agree to it.
    """
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
