"""The public keys of an identity provider (JWKS): cached, and read again when they rotate."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from clawback.identity.errors import ProviderUnavailable, TokenRefused
from clawback.identity.exchange import get_json

FRESH_FOR: Final = 3600.0
"""Seconds after which the keys are read again."""
STALE_FOR: Final = 24 * 3600.0
"""Seconds for which known keys count while the provider does not answer."""
PAUSE: Final = 60.0
"""Seconds between two reads because of an unknown key: anybody can send one."""


class SigningKeys:
    """The keys at one URL. Without an answer and without known keys, every token is refused."""

    def __init__(
        self, http: httpx.AsyncClient, url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http, self._url, self._clock = http, url, clock
        self._keys: KeySet | None = None
        self._read_at = self._tried_at = -float("inf")

    async def find(self, key_id: str | None) -> Any:
        """Return the key with an id, or without an id the only one.

        Raises:
            TokenRefused: there is no such key.
            ProviderUnavailable: the keys cannot be read, and none are known.

        """
        if self._clock() - self._read_at > FRESH_FOR:
            await self._read()
        if (key := self._known(key_id)) is None and self._clock() - self._tried_at > PAUSE:
            await self._read()
            key = self._known(key_id)

        if key is None:
            raise TokenRefused("the token is signed with a key that its issuer does not publish")
        return key

    def _known(self, key_id: str | None) -> Any:
        keys = self._keys.keys if self._keys else []
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.kid == key_id), None)

    async def _read(self) -> None:
        if self._clock() - self._tried_at <= PAUSE and self._keys is not None:
            return
        self._tried_at = self._clock()
        try:
            document = await get_json(self._http, self._url)
            self._keys = KeySet.import_key_set({"keys": list(document["keys"])})
        except (ProviderUnavailable, JoseError, KeyError, TypeError, ValueError) as error:
            is_known = self._keys is not None and self._clock() - self._read_at <= STALE_FOR
            if not is_known:
                self._keys = None
                raise ProviderUnavailable(
                    f"the keys of the identity provider cannot be read: {error}"
                ) from error
        else:
            self._read_at = self._clock()
