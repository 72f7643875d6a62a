"""Access tokens that another program passes on for a person, such as the Temporal UI."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from clawback.identity.errors import ProviderUnavailable
from clawback.identity.exchange import open_http
from clawback.identity.oidc import ClientSettings, OidcProvider
from clawback.model.identity import Identity

PAUSE: Final = 10.0
"""Seconds between two attempts to reach the provider: anybody can send a token."""


class BearerTokens:
    """Verifies the access tokens of one provider for one audience; they must be JWTs (RFC 9068).

    The provider is asked when the first token comes. Close it after use.
    """

    def __init__(
        self,
        settings: ClientSettings,
        audience: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._audience, self._clock = settings, audience, clock
        self._stack = AsyncExitStack()
        self._provider: OidcProvider | None = None
        self._tried_at = -float("inf")

    async def identify(self, token: str) -> Identity:
        """Verify a token and return whose it is.

        Raises:
            TokenRefused: it is not for this audience, or its time is up.
            ProviderUnavailable: the provider does not answer.

        """
        provider = self._provider or await self._discover()
        return await provider.identify_bearer(token, self._audience)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._stack.aclose()

    async def _discover(self) -> OidcProvider:
        if self._clock() - self._tried_at <= PAUSE:
            raise ProviderUnavailable("the identity provider did not answer a moment ago")
        self._tried_at = self._clock()
        http = await self._stack.enter_async_context(open_http())
        self._provider = await OidcProvider.discover(http, self._settings)
        return self._provider
