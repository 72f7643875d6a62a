"""Finds what a sender sent lately: one search per sender, remembered for a while."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from cachetools import LRUCache

from clawback.cloudflare import EmailSecurity, Message, Page, errors
from clawback.model.events import message_event
from clawback.model.sender_history import HISTORY_SPAN, SenderHistory, sender_of

LIFETIME = timedelta(minutes=15)
"""How long what was found is used again. What the sender sends meanwhile does not count."""
_MOST_BYTES = 8 * 1024 * 1024
_ENTRY_BYTES = 700
"""What an entry takes beside its messages."""
_BACKLOG = timedelta(days=3)
"""A search reaches further back by this, so that it also serves the mail of a backlog."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a search found of a sender, from `since` until `read_at`.

    `history` is None if the API could not tell. If not `is_complete`, there was more than a page.
    """

    since: datetime
    read_at: datetime
    history: SenderHistory | None
    is_complete: bool = True

    def is_current(self, at: datetime, now: datetime) -> bool:
        """Whether it can be used for a message scanned at a time."""
        return now - self.read_at < LIFETIME and self.since <= at - HISTORY_SPAN

    def summarize(self, message: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Give the fields below `history`; none where the search does not tell."""
        if self.history is None:
            return {}
        summary = self.history.summarize(message, at)
        # On a page full of copies of the message, nothing says that there was no other mail.
        return summary if self.is_complete or summary["messages"] else {}


class SenderSearch:
    """Reads histories of senders, and remembers them by sender."""

    def __init__(self, api: EmailSecurity, slots: asyncio.Semaphore) -> None:
        self._api = api
        self._slots = slots
        self._found: LRUCache[str, _Found] = LRUCache(_MOST_BYTES, getsizeof=_size_of)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, message: Mapping[str, Any], at: datetime, now: datetime) -> dict[str, Any]:
        """Give the fields below `history` of a message scanned at a time; none without a sender.

        Of a sender of more messages than a page holds, the counts are lower bounds.

        Raises:
            ApiError: the search failed.

        """
        sender = sender_of(message)
        if sender is None:
            return {}

        # Concurrent readers of one sender wait here, and share one search.
        async with self._locks.setdefault(sender, asyncio.Lock()):
            known = self._found.get(sender)
            if known is None or not known.is_current(at, now):
                known = await self._search(sender, at, now)
                if _size_of(known) <= _MOST_BYTES:
                    self._found[sender] = known

        return known.summarize(message, at)

    async def _search(self, sender: str, at: datetime, now: datetime) -> _Found:
        since = min(at, now - _BACKLOG) - HISTORY_SPAN
        async with self._slots:
            try:
                page = await self._api.messages(start=since, end=now, sender=sender)
            except (errors.NotFound, errors.InvalidRequest):
                return _Found(since, now, history=None)

        return _collect(page, sender, since, now)


def _collect(page: Page[Message], sender: str, since: datetime, now: datetime) -> _Found:
    """Keep what is of the sender: the filter may also take the envelope, or be ignored."""
    own = [item.record for item in page.items if sender_of(item.record) == sender]
    if page.next is not None and len(own) < len(page.items):
        return _Found(since, now, history=None)

    history = SenderHistory()
    for record in own:
        history.add(record, message_event(record, now).at)

    return _Found(since, now, history, is_complete=page.next is None)


def _size_of(found: _Found) -> int:
    return _ENTRY_BYTES + (found.history.size if found.history is not None else 0)
