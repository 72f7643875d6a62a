"""The list of blocks of the account, to tell which of ours somebody has changed."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from clawback.cloudflare import ApiError, BlockedSender
from clawback.inventory.block_states import read_block_policies
from clawback.local.worker_api import NoCredentials, open_worker_api
from clawback.settings import Settings

_PATIENCE: Final = 4.0
_FRESH: Final = 60.0


class BlockPolicies:
    """The blocks of the account, read at most once a minute."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._known: Mapping[str, BlockedSender] | None = None
        self._read_at = float("-inf")

    async def read(self) -> Mapping[str, BlockedSender] | None:
        """Return them by id; None if the API does not answer in four seconds."""
        async with self._turn:
            if time.monotonic() - self._read_at >= _FRESH:
                self._known = None
                with suppress(ApiError, NoCredentials, TimeoutError, OSError):
                    async with asyncio.timeout(_PATIENCE), open_worker_api(self._settings) as api:
                        self._known = await read_block_policies(api)
                        self._read_at = time.monotonic()
            return self._known
