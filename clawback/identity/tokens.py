"""Verifies signed tokens (JWT): signature, algorithm, issuer, audience, times."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError

from clawback.identity.errors import TokenRefused
from clawback.identity.signing_keys import SigningKeys

LEEWAY: Final = 60
"""Seconds that clocks may differ."""
LONGEST: Final = 32 * 1024
_ASYMMETRIC: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")


@dataclass(frozen=True)
class TokenVerifier:
    """What a token must say. `algorithms` are pinned: never `none`, never one with a secret.

    With `checks_party` it must have been issued to the audience itself, as an ID token is (OpenID
    Connect Core 1.0 §2).
    """

    keys: SigningKeys
    issuer: str
    audience: str
    algorithms: Collection[str] = _ASYMMETRIC
    clock: Callable[[], float] = time.time
    checks_party: bool = True

    async def verify(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token.

        Raises:
            TokenRefused: it is not ours, or its time is up.
            ProviderUnavailable: the keys of the issuer cannot be read.

        """
        key = await self.keys.find(_key_id(token))
        try:
            claims = jwt.decode(token, key, algorithms=list(self.algorithms)).claims
            self._check(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused(f"the token is refused: {_describe(error)}") from error
        return claims

    def _check(self, claims: dict[str, Any]) -> None:
        jwt.JWTClaimsRegistry(
            now=lambda: int(self.clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        ).validate(claims)

        if self.checks_party:
            self._check_party(claims)

    def _check_party(self, claims: Mapping[str, Any]) -> None:
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        party = claims.get("azp")
        if (len(audiences) > 1 or party is not None) and party not in {None, self.audience}:
            raise ValueError("it was issued to another party")


def _key_id(token: str) -> str | None:
    """Read which key a token names, before anything of it is verified."""
    if len(token) > LONGEST:
        raise TokenRefused("the token is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise TokenRefused("the token cannot be read") from error
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def _describe(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
