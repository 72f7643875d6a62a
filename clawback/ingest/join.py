"""Finding the message that a PhishGuard report or a submission is about.

From what was polled lately, else by one narrow search.

Both name a postfix id, actions want the investigate id, and the list has no filter for the former
(reference §2.9).
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from cachetools import LRUCache

from clawback.cloudflare import EmailSecurity
from clawback.cloudflare.operations.investigate import MessageFilters
from clawback.model.events import Event, EventKind, message_event
from clawback.model.times import parse_time

_REMEMBERED = 50_000
_AROUND = timedelta(hours=1)
_BACK = timedelta(days=7)
"""How long before it was submitted a message may have come.

The search is narrowed by its subject.
"""
_MOST_PAGES = 3
_CURRENT = timedelta(minutes=20)
"""How old a remembered record may be.

Polls read younger ones again and again, older ones may have been moved since.
"""
_AGAIN = timedelta(seconds=15)
"""How soon the same search may be made again."""
_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class _Copy:
    """A message as it was when it was last read."""

    event: Event
    read_at: datetime


@dataclass(frozen=True, slots=True)
class _Search:
    """What a search is narrowed by."""

    start: datetime
    end: datetime
    sender: str | None = None
    subject: str | None = None

    @property
    def filters(self) -> MessageFilters:
        """The same as the client takes it."""
        return {"sender": self.sender, "subject": self.subject}


class Joiner:
    """Joins reports and submissions to messages; remembers the messages that went by."""

    def __init__(self, api: EmailSecurity) -> None:
        self._api = api
        self._by_postfix_id: LRUCache[str, tuple[_Copy, ...]] = LRUCache(_REMEMBERED)
        self._searched: LRUCache[_Search, datetime] = LRUCache(_REMEMBERED)
        self._searching: WeakValueDictionary[_Search, asyncio.Lock] = WeakValueDictionary()

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
        postfix_id = postfix_id_of(event)
        if postfix_id is None:
            return event
        if not self._is_current(postfix_id, now):
            search = _search_for(event)
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

    async def _search(self, search: _Search, now: datetime) -> None:
        last = self._searched.get(search)
        if last is not None and now - last < _AGAIN:
            return
        page = None
        for _ in range(_MOST_PAGES):
            found = await self._api.messages(
                start=search.start, end=min(search.end, now), cursor=page, **search.filters
            )
            for message in found.items:
                self.remember(message_event(message.record, now), now)
            if (page := found.next) is None:
                break
        self._searched[search] = now


def postfix_id_of(event: Event) -> str | None:
    """Give the postfix id that a report or a submission names; None where it names none."""
    value = (
        event.record.get("original_postfix_id")
        if event.kind is EventKind.SUBMISSION
        else _fields(event).get("postfix_id")
    )
    return value if isinstance(value, str) and value else None


def joined(event: Event, messages: Iterable[Event]) -> Event:
    """Give a report or submission with the first message whose recipients it names.

    Further copies are targets too.

    Without messages it stays as it is. Who submits a message is taken for one of its recipients.
    """
    named = set(_named(event))
    ranked = sorted(messages, key=lambda message: not named & _recipients(message))
    if not ranked:
        return event
    others = tuple(
        target for message in ranked[1:] if not message.handled for target in message.targets
    )
    return event.with_message(ranked[0], others)


def _search_for(event: Event) -> _Search:
    """Narrow a search as far as the record allows.

    Its times are whole hours, so that one campaign makes one search.
    """
    if event.kind is EventKind.SUBMISSION:
        subject = event.record.get("subject")
        known = isinstance(subject, str) and bool(subject.strip())
        at = event.at.replace(minute=0, second=0, microsecond=0)
        start = at - (_BACK if known else _AROUND)
        return _Search(
            start, at + 2 * _AROUND, subject=str(subject)[:_LONGEST_SUBJECT] if known else None
        )
    fields = _fields(event)
    around = parse_time(fields.get("occurred_at")) or event.at
    sender = fields.get("from")
    return _Search(
        around - _AROUND,
        around + _AROUND,
        sender=sender if isinstance(sender, str) and "@" in sender else None,
    )


def _named(event: Event) -> Iterable[str]:
    named = (
        [event.record.get("requested_by")]
        if event.kind is EventKind.SUBMISSION
        else _fields(event).get("to")
    )
    return (
        (address.lower() for address in named if isinstance(address, str))
        if isinstance(named, list)
        else ()
    )


def _fields(event: Event) -> Mapping[str, Any]:
    fields = event.record.get("fields")
    return fields if isinstance(fields, Mapping) else {}


def _recipients(event: Event) -> set[str]:
    recipients = event.record.get("client_recipients")
    return (
        {address.lower() for address in recipients if isinstance(address, str)}
        if isinstance(recipients, list)
        else set()
    )
