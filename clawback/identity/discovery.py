"""The connection of a long-running process to its identity provider, made when it is needed."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import httpx

from clawback.identity.errors import ProviderUnavailable
from clawback.identity.exchange import open_http
from clawback.identity.oidc import ClientSettings, OidcProvider

PAUSE: Final = 10.0
"""Seconds between two attempts to reach the provider: anybody can make us try."""


class ProviderConnection:
    """Discovers a provider once, and again after a failure. Close it after use."""

    def __init__(
        self, settings: ClientSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._stack = AsyncExitStack()
        self._http: httpx.AsyncClient | None = None
        self._provider: OidcProvider | None = None
        self._tried_at = -float("inf")

    async def provider(self) -> OidcProvider:
        """Return the provider.

        Raises:
            ProviderUnavailable: it does not answer.

        """
        return self._provider or await self._discover()

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._stack.aclose()

    async def _discover(self) -> OidcProvider:
        if self._clock() - self._tried_at <= PAUSE:
            raise ProviderUnavailable("the identity provider did not answer a moment ago")
        self._tried_at = self._clock()
        if self._http is None:
            self._http = await self._stack.enter_async_context(open_http())
        self._provider = await OidcProvider.discover(self._http, self.settings)
        return self._provider
