"""Finds the message that a PhishGuard report or a submission is about.

Reports and submissions name a postfix id, but actions need the investigate id, and the message list
has no filter by postfix id (reference §2.9). So messages that were polled lately are remembered,
and anything else takes one narrow search.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from cachetools import LRUCache

from clawback.cloudflare import EmailSecurity
from clawback.ingest.json_cache import JsonCache
from clawback.model.events import Event, JoinSearch, message_event, source_of
from clawback.model.events.base import canonical_addresses

_MOST_BYTES = 24 * 1024 * 1024
"""Of remembered messages: about 10,000 of common size."""
_MOST_IDS = 15_000
_MOST_SEARCHES = 10_000
_MOST_COPIES = 1_000
_MOST_PAGES = 3
_CURRENT = timedelta(minutes=20)
"""How old a remembered record may be.

Polls read younger messages again and again; an older one may have been moved since.
"""
_REPEAT_AFTER = timedelta(seconds=15)
"""How soon the same search may be repeated."""


class Joiner:
    """Joins reports and submissions to messages, and remembers the messages that were read."""

    def __init__(self, api: EmailSecurity) -> None:
        self._api = api
        self._records: JsonCache[str] = JsonCache(_MOST_BYTES)
        # By postfix id: the ids of the copies, and when each was read.
        self._read_at: LRUCache[str, dict[str, datetime]] = LRUCache(_MOST_IDS, getsizeof=len)
        self._searched_at: LRUCache[JoinSearch, datetime] = LRUCache(_MOST_SEARCHES)
        self._locks: WeakValueDictionary[JoinSearch, asyncio.Lock] = WeakValueDictionary()

    def remember(self, event: Event, now: datetime) -> None:
        """Remember a message as it was read now.

        One postfix id may stand for several messages, one per mailbox.
        """
        postfix_id = event.record.get("postfix_id")
        if isinstance(postfix_id, str) and postfix_id:
            others = {**self._read_at.get(postfix_id, {})}
            others.pop(event.id, None)
            if len(others) < _MOST_COPIES:
                self._records.set(event.id, event.as_read)
                self._read_at[postfix_id] = {**others, event.id: now}

    async def join(self, event: Event, now: datetime) -> Event:
        """Return the event joined to its message, or as it is if no message is found.

        Costs no request if the message was read lately.

        Raises:
            clawback.cloudflare.errors.ApiError: the search failed.

        """
        postfix_id = source_of(event).postfix_id(event)
        if postfix_id is None:
            return event

        if not self._is_current(postfix_id, now):
            search = source_of(event).join_search(event)
            # The submissions of one campaign share one search, so they wait for each other.
            async with self._locks.setdefault(search, asyncio.Lock()):
                if not self._is_current(postfix_id, now):
                    await self._search(search, now)

        return join_messages(event, self._copies(postfix_id))

    def _copies(self, postfix_id: str) -> Iterator[Event]:
        """The copies of a message that are still known."""
        for id_, read_at in self._read_at.get(postfix_id, {}).items():
            if (record := self._records.get(id_)) is not None:
                yield message_event(record, read_at)

    def _is_current(self, postfix_id: str, now: datetime) -> bool:
        return any(
            now - read_at < _CURRENT and id_ in self._records
            for id_, read_at in self._read_at.get(postfix_id, {}).items()
        )

    async def _search(self, search: JoinSearch, now: datetime) -> None:
        last = self._searched_at.get(search)
        if last is not None and now - last < _REPEAT_AFTER:
            return

        page = None
        for _ in range(_MOST_PAGES):
            found = await self._api.messages(
                start=search.start,
                end=min(search.end, now),
                cursor=page,
                sender=search.sender,
                subject=search.subject,
            )
            for message in found.items:
                self.remember(message_event(message.record, now), now)

            if (page := found.next) is None:
                break

        self._searched_at[search] = now


def join_messages(event: Event, messages: Iterable[Event]) -> Event:
    """Join an event to the copies of its message; without copies, return it as it is.

    The first copy that went to a recipient whom the event names becomes its message. A submission
    names who submitted it. The copies that nobody has handled are further targets.
    """
    named = source_of(event).named_recipients(event)
    # False sorts first, and the sort is stable: copies for a named recipient come first.
    ranked = sorted(messages, key=lambda message: not named & _recipients(message))
    if not ranked:
        return event

    unhandled = (message for message in ranked[1:] if not message.handled)
    others = tuple(target for message in unhandled for target in message.targets)
    return event.with_message(ranked[0], others)


def _recipients(event: Event) -> frozenset[str]:
    return canonical_addresses(event.record.get("client_recipients"))
