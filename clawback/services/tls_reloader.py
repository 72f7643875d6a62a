"""Makes the connection to Temporal anew when the files of its certificates have changed."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from temporalio.service import RPCError, TLSConfig

from clawback.model.loggable import LoggableText
from clawback.secret_files import SecretUnreadable
from clawback.services.credential_metrics import publish_expiries
from clawback.temporal.client import first_clause
from clawback.temporal.live_connection import LiveServiceClient
from clawback.temporal.tls_files import TlsFiles

RETRY_AFTER: Final = timedelta(seconds=30)
_CONNECT_TIMEOUT: Final = 10.0
log = structlog.get_logger("clawback")


class TlsReloader:
    """Keeps the old connection for as long as the server takes none with the new files."""

    def __init__(
        self, service: LiveServiceClient, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._files = TlsFiles()
        self._now = now
        self._seen: TLSConfig | None = None
        self._refused: TLSConfig | None = None
        self._retry_at = 0.0

    @property
    def has_trouble(self) -> bool:
        """Whether the last attempt with the present files failed."""
        return self._refused is not None

    async def look(self) -> None:
        """Connect anew if the files differ from those in use, and did so at the last look."""
        used = self._service.config.tls
        assert isinstance(used, TLSConfig)  # noqa: S101 - else the client would not be live
        try:
            tls = self._files.apply(used)
        except SecretUnreadable:
            return

        # Certificate and key may be written one after the other.
        is_settled, self._seen = tls == self._seen, tls
        if tls == used:
            self._refused = None
        elif is_settled and (tls != self._refused or self._now() >= self._retry_at):
            await self._reconnect(tls)

    async def _reconnect(self, tls: TLSConfig) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                await self._service.reconnect(tls)
        except (RuntimeError, ValueError, RPCError, TimeoutError) as error:
            if tls != self._refused:
                detail = LoggableText(first_clause(str(error)) or type(error).__name__)
                log.warning("temporal.not_reconnected", detail=detail)
            self._refused, self._retry_at = tls, self._now() + RETRY_AFTER.total_seconds()
            return

        self._refused = None
        publish_expiries(self._service.config)
        log.info("temporal.reconnected")
