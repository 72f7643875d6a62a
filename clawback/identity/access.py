"""Cloudflare Access: verifies the assertion in the header of each request.

Source: developers.cloudflare.com/cloudflare-one, "Validate JWTs".
"""

from typing import Final

import httpx

from clawback.identity.errors import TokenRefused
from clawback.identity.role_mapping import RoleMapping, Verified
from clawback.identity.signing_keys import SigningKeys
from clawback.identity.tokens import TokenVerifier
from clawback.model.identity import IdentitySource

HEADER: Final = "Cf-Access-Jwt-Assertion"
"""The header, not the cookie: Access removes a header that somebody else has set."""
_ALGORITHMS: Final = ("RS256",)


class AccessVerifier:
    """Verifies assertions of one team for one application, which its audience tag names."""

    def __init__(
        self, http: httpx.AsyncClient, team_url: str, audience: str, mapping: RoleMapping
    ) -> None:
        self._mapping = mapping
        self._tokens = TokenVerifier(
            keys=SigningKeys(http, f"{team_url}/cdn-cgi/access/certs"),
            issuer=team_url,
            audience=audience,
            algorithms=_ALGORITHMS,
        )

    async def verify(self, assertion: str) -> Verified:
        """Return who makes a request.

        Raises:
            TokenRefused: the assertion is not valid here, or is that of a service and no person.
            ProviderUnavailable: the keys of the team cannot be read, and none are known.

        """
        claims = await self._tokens.verify(assertion)
        if claims.get("type") != "app" or not claims["sub"]:
            raise TokenRefused("the assertion is not that of a person")
        return self._mapping.read(claims, IdentitySource.ACCESS)
