"""Reads what rules ask for beside the record of an event: detections, history of the sender.

Nothing is read unless a rule depends on it, and everything is remembered for a while.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from clawback.cloudflare import EmailSecurity, errors
from clawback.ingest.json_cache import JsonCache
from clawback.ingest.sender_search import SenderSearch
from clawback.model.events import Enrichment, Event
from clawback.rules import RuleSet

_DETECTIONS_BYTES = 8 * 1024 * 1024


class Enricher:
    """Enriches events; `slots` limits the requests at a time."""

    def __init__(self, api: EmailSecurity, slots: asyncio.Semaphore) -> None:
        self._api = api
        self._slots = slots
        self._detections: JsonCache[str] = JsonCache(_DETECTIONS_BYTES)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._senders = SenderSearch(api, slots)

    async def enrich(self, event: Event, rules: RuleSet, now: datetime) -> Event:
        """Add what rules ask for until none is undecided; at most one request of each kind.

        Raises:
            ApiError: a request failed.

        """
        if not event.has_message:
            return event

        while (missing := rules.missing_enrichment(event)) is not None:
            event = event.enriched(missing, await self.read(missing, event, now))

        return event

    async def read(self, enrichment: Enrichment, event: Event, now: datetime) -> Mapping[str, Any]:
        """Read one enrichment of an event that has a message.

        Raises:
            ApiError: the request failed.

        """
        message = event.targets[0]
        if enrichment is Enrichment.HISTORY:
            return await self._senders.read(event.message, message.at, now)
        return await self._read_detections(message.id)

    async def _read_detections(self, message: str) -> Mapping[str, Any]:
        known: Mapping[str, Any] | None = self._detections.get(message)
        if known is None:
            # Concurrent readers of one message wait here, and share one request.
            async with self._locks.setdefault(message, asyncio.Lock()):
                return await self._read_detections_once(message)
        return known

    async def _read_detections_once(self, message: str) -> Mapping[str, Any]:
        known: Mapping[str, Any] | None = self._detections.get(message)
        if known is None:
            async with self._slots:
                try:
                    known = await self._api.detections(message)
                except (errors.NotFound, errors.InvalidRequest):
                    known = {}
            self._detections.set(message, known)

        return known
