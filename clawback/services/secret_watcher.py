"""Looks at the files of secrets, so that a change is used and logged without a request.

Every file that this process reads a secret from is among `watched_files`, whoever opened it.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from temporalio.client import Client

from clawback.model.loggable import LoggableText
from clawback.secret_files import (
    FileSecret,
    SecretEvent,
    SecretName,
    SecretUnreadable,
    WatchedFile,
    watched_files,
)
from clawback.services.credential_metrics import publish_expiries
from clawback.services.tls_reloader import TlsReloader
from clawback.telemetry import metrics
from clawback.temporal.live_connection import LiveServiceClient

LOOK_EVERY = timedelta(seconds=2)
_LOGGED_AS = {
    SecretEvent.CHANGED: "secret.changed",
    SecretEvent.RECOVERED: "secret.recovered",
}
log = structlog.get_logger("clawback")


class SecretWatcher:
    """Watches the files that this process has opened, and those of TLS to Temporal.

    Gives a Temporal client the API key of now, and a connection with the certificates of now.
    """

    def __init__(self, client: Client, api_key: FileSecret | None = None) -> None:
        self._client = client
        self._api_key = api_key
        service = client.service_client
        self._tls = TlsReloader(service) if isinstance(service, LiveServiceClient) else None
        self._shown: frozenset[SecretName] = frozenset()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def look(self) -> None:
        """Look at every file once."""
        self._look_at_files()
        if self._api_key is not None:
            self._use(self._api_key)
        if self._tls is not None:
            await self._tls.look()

    def _look_at_files(self) -> None:
        troubled = dict.fromkeys(self._shown, False)
        for file in watched_files():
            for event in file.take_events():
                self._note(file, event)
            troubled[file.name] = troubled.get(file.name, False) or file.trouble is not None
        if self._tls is not None and self._tls.has_trouble:
            troubled[SecretName.TEMPORAL_CERTIFICATES] = True
        self._show(troubled)

    def _show(self, troubled: Mapping[SecretName, bool]) -> None:
        """Show the trouble of each secret; one whose files are closed by now has none."""
        for name, is_troubled in troubled.items():
            metrics.SECRET_UNREADABLE.labels(name.value).set(is_troubled)
        self._shown = frozenset(troubled)

    def _use(self, secret: FileSecret) -> None:
        try:
            key = secret.get_secret_value()
        except SecretUnreadable:
            return
        if key != self._client.api_key:
            self._client.api_key = key
            publish_expiries(self._client.service_client.config)

    def _note(self, file: WatchedFile[object], event: SecretEvent) -> None:
        if event is SecretEvent.UNREADABLE:
            log.warning(
                "secret.unreadable",
                source=file.name,
                detail=LoggableText(f"{file.path}: {file.trouble}"),
            )
        else:
            log.info(_LOGGED_AS[event], source=file.name)
