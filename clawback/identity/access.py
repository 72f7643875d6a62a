"""Cloudflare Access: verifies the assertion in the header of each request.

An assertion has groups only if the identity provider of the team gives them as custom claims. Else
Access is asked who that is, once in five minutes.

Source: developers.cloudflare.com/cloudflare-one, "Validate JWTs" and "Application token".
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
from cachetools import TTLCache

from clawback.identity.errors import TokenRefused
from clawback.identity.exchange import get_json
from clawback.identity.role_mapping import RoleMapping, Verified
from clawback.identity.signing_keys import SigningKeys
from clawback.identity.tokens import TokenVerifier
from clawback.model.identity import IdentitySource

HEADER: Final = "Cf-Access-Jwt-Assertion"
"""The header, not the cookie: Access removes a header that somebody else has set."""
COOKIE: Final = "CF_Authorization"
KNOWN_FOR: Final = 300.0
"""Seconds for which what Access says of somebody is not asked again."""
_MOST_KNOWN: Final = 1_000
_ALGORITHMS: Final = ("RS256",)
_NAMES_OF_A_GROUP: Final = ("id", "name", "email")


class AccessVerifier:
    """Verifies assertions of one team for one application, which its audience tag names."""

    def __init__(
        self, http: httpx.AsyncClient, team_url: str, audience: str, mapping: RoleMapping
    ) -> None:
        self._http, self._mapping = http, mapping
        self._identity_url = f"{team_url}/cdn-cgi/access/get-identity"
        self._known: TTLCache[str, Mapping[str, Any]] = TTLCache(_MOST_KNOWN, KNOWN_FOR)
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
            ProviderUnavailable: the keys of the team, or the groups of the person, cannot be read,
                and are not known.

        """
        claims = await self._tokens.verify(assertion)
        if claims.get("type") != "app" or not claims["sub"]:
            raise TokenRefused("the assertion is not that of a person")
        if not self._mapping.is_in(claims):
            claims = {**await self._ask_identity(assertion, claims), **claims}
        return self._mapping.read(claims, IdentitySource.ACCESS)

    async def _ask_identity(self, assertion: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask Access who somebody is; it answers for the identity that the assertion names."""
        nonce = claims.get("identity_nonce")
        key = f"{claims['sub']} {nonce}" if isinstance(nonce, str) else assertion
        if (known := self._known.get(key)) is None:
            cookie = f"{COOKIE}={assertion}"
            found = await get_json(self._http, self._identity_url, {"Cookie": cookie})
            known = {**found, "groups": list(_name_groups(found.get("groups")))}
            self._known[key] = known
        return known


def _name_groups(groups: object) -> Iterator[str]:
    """Give ids, names and addresses of groups; some providers give texts, others objects."""
    for group in groups if isinstance(groups, list) else []:
        if isinstance(group, str):
            yield group
        elif isinstance(group, Mapping):
            values = (group.get(name) for name in _NAMES_OF_A_GROUP)
            yield from (value for value in values if isinstance(value, str))
