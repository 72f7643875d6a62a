"""Finding the message that a PhishGuard report or a submission is about.

From what was polled lately, else by one narrow search.

Both name a postfix id, actions want the investigate id, and the list has no filter for the former
(reference §2.9).
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from cachetools import LRUCache

from clawback.cloudflare import EmailSecurity
from clawback.model.events import Event, JoinSearch, message_event, source_of
from clawback.model.events.base import lower_addresses

_REMEMBERED = 50_000
_MOST_PAGES = 3
_CURRENT = timedelta(minutes=20)
"""How old a remembered record may be.

Polls read younger ones again and again, older ones may have been moved since.
"""
_AGAIN = timedelta(seconds=15)
"""How soon the same search may be made again."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A message as it was when it was last read."""

    event: Event
    read_at: datetime


class Joiner:
    """Joins reports and submissions to messages; remembers the messages that went by."""

    def __init__(self, api: EmailSecurity) -> None:
        self._api = api
        self._by_postfix_id: LRUCache[str, tuple[_Copy, ...]] = LRUCache(_REMEMBERED)
        self._searched: LRUCache[JoinSearch, datetime] = LRUCache(_REMEMBERED)
        self._searching: WeakValueDictionary[JoinSearch, asyncio.Lock] = WeakValueDictionary()

    def remember(self, event: Event, now: datetime) -> None:
        """Keep a message as it was read now.

        One postfix id may have several messages, one for each mailbox.
        """
        postfix_id = event.record.get("postfix_id")
        if isinstance(postfix_id, str) and postfix_id:
            known = self._by_postfix_id.get(postfix_id) or ()
            others = (copy for copy in known if copy.event.id != event.id)
            self._by_postfix_id[postfix_id] = (*others, _Copy(event, now))

    async def join(self, event: Event, now: datetime) -> Event:
        """Give the event with its message, or as it is where none can be found.

        Costs no request if the message went by lately.
        """
        postfix_id = source_of(event).postfix_id(event)
        if postfix_id is None:
            return event
        if not self._is_current(postfix_id, now):
            search = source_of(event).join_search(event)
            async with self._searching.setdefault(
                search, asyncio.Lock()
            ):  # the submissions of one campaign wait for one search
                if not self._is_current(postfix_id, now):
                    await self._search(search, now)
        return joined(event, [copy.event for copy in self._by_postfix_id.get(postfix_id) or ()])

    def _is_current(self, postfix_id: str, now: datetime) -> bool:
        return any(
            now - copy.read_at < _CURRENT for copy in self._by_postfix_id.get(postfix_id) or ()
        )

    async def _search(self, search: JoinSearch, now: datetime) -> None:
        last = self._searched.get(search)
        if last is not None and now - last < _AGAIN:
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
        self._searched[search] = now


def joined(event: Event, messages: Iterable[Event]) -> Event:
    """Give a report or submission with the first message whose recipients it names.

    Further copies are targets too.

    Without messages it stays as it is. Who submits a message is taken for one of its recipients.
    """
    named = source_of(event).named_recipients(event)
    ranked = sorted(messages, key=lambda message: not named & _recipients(message))
    if not ranked:
        return event
    others = tuple(
        target for message in ranked[1:] if not message.handled for target in message.targets
    )
    return event.with_message(ranked[0], others)


def _recipients(event: Event) -> frozenset[str]:
    return lower_addresses(event.record.get("client_recipients"))
