"""What the settings say about identity."""

import httpx

from clawback.identity.access import AccessVerifier
from clawback.identity.bearer import BearerTokens
from clawback.identity.errors import IdentityError
from clawback.identity.oidc import ClientSettings
from clawback.identity.role_mapping import RoleMapping
from clawback.model.identity import Role
from clawback.settings import Settings


def role_mapping(settings: Settings) -> RoleMapping:
    """Return which claims mean which role."""
    return RoleMapping(
        claim=settings.identity_roles_claim,
        groups={
            Role.VIEWER: settings.identity_viewers,
            Role.ANALYST: settings.identity_analysts,
            Role.OPERATOR: settings.identity_operators,
        },
    )


def client_settings(settings: Settings) -> ClientSettings:
    """Return how this installation is known to its OpenID Connect provider.

    Raises:
        IdentityError: there is none, or its client has no id.

    """
    if settings.identity_issuer is None:
        raise IdentityError(
            "no provider for commands is set: set CLAWBACK_IDENTITY_ISSUER and "
            "CLAWBACK_IDENTITY_CLIENT_ID"
            + (", or decide in the console" if settings.identity_access_team else "")
        )
    if settings.identity_client_id is None:
        raise IdentityError("CLAWBACK_IDENTITY_CLIENT_ID is not set")

    return ClientSettings(
        issuer=settings.identity_issuer,
        client_id=settings.identity_client_id,
        client_secret=settings.identity_client_secret,
        scopes=settings.identity_scopes,
        mapping=role_mapping(settings),
    )


def bearer_tokens(settings: Settings) -> BearerTokens | None:
    """Return what verifies the tokens that the Temporal UI passes; None without a provider.

    Raises:
        IdentityError: the client has no id.

    """
    if settings.identity_issuer is None:
        return None
    client = client_settings(settings)
    return BearerTokens(client, settings.identity_ui_audience or client.client_id)


def access_verifier(http: httpx.AsyncClient, settings: Settings) -> AccessVerifier:
    """Return what verifies the assertions of Cloudflare Access.

    Raises:
        IdentityError: team or audience are not set.

    """
    team, audience = settings.identity_access_team, settings.identity_access_audience
    if team is None or audience is None:
        raise IdentityError(
            "set CLAWBACK_IDENTITY_ACCESS_TEAM and CLAWBACK_IDENTITY_ACCESS_AUDIENCE"
        )
    return AccessVerifier(http, team.rstrip("/"), audience, role_mapping(settings))
