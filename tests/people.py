"""People of tests: what an identity provider or an operating system says of them."""

from clawback.model.identity import Actor, Identity, IdentitySource, Role

PROVIDER = "https://login.example.com"


def person(name: str, *roles: Role, verified: bool = False, behalf: str = "") -> Actor:
    """Build somebody with all roles, or with these, whom nobody vouches for unless `verified`."""
    identity = Identity(
        source=IdentitySource.OIDC if verified else IdentitySource.LOCAL,
        issuer=PROVIDER if verified else "",
        subject=name,
        is_verified=verified,
        roles=roles or tuple(Role),
    )
    return Actor(identity=identity, on_behalf_of=behalf)
