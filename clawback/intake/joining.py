"""Finding the message a PhishGuard report is about: from what was polled lately, else by one narrow search.

Reports name a postfix id, actions want the investigate id, and the list has no filter for the former (reference §2.9).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from clawback.cloudflare import EmailSecurity
from clawback.events import Event, message_event
from clawback.intake.memo import Memo
from clawback.payloads import parse_moment

_REMEMBERED = 50_000
_AROUND = timedelta(hours=1)
_MOST_PAGES = 3


class Joiner:
    """Joins reports to messages; remembers the messages that went by."""

    def __init__(self, api: EmailSecurity) -> None:
        self._api = api
        self._by_postfix_id: Memo[str, tuple[Event, ...]] = Memo(_REMEMBERED)

    def remember(self, event: Event) -> None:
        """Keep a polled message for reports to come. One postfix id may have several messages, one for each mailbox."""
        postfix_id = event.record.get("postfix_id")
        if isinstance(postfix_id, str) and postfix_id:
            known = self._by_postfix_id.get(postfix_id) or ()
            self._by_postfix_id.put(postfix_id, (*(other for other in known if other.id != event.id), event))

    async def join(self, report: Event, now: datetime) -> Event:
        """Give the report with its message, or as it is where none can be found; costs no request if the message went by."""
        fields = report.record.get("fields")
        postfix_id = fields.get("postfix_id") if isinstance(fields, Mapping) else None
        if not isinstance(postfix_id, str) or not postfix_id:
            return report
        if not self._by_postfix_id.get(postfix_id):
            await self._search(report, fields if isinstance(fields, Mapping) else {}, now)
        return joined(report, self._by_postfix_id.get(postfix_id) or (), fields if isinstance(fields, Mapping) else {})

    async def _search(self, report: Event, fields: Mapping[str, Any], now: datetime) -> None:
        around = parse_moment(fields.get("occurred_at")) or report.at
        sender = fields.get("from")
        page = None
        for _ in range(_MOST_PAGES):
            found = await self._api.messages(
                start=around - _AROUND,
                end=min(around + _AROUND, now),
                cursor=page,
                sender=sender if isinstance(sender, str) and "@" in sender else None,
            )
            for message in found.items:
                self.remember(message_event(message.record, now))
            if (page := found.next) is None:
                return


def joined(report: Event, messages: Iterable[Event], fields: Mapping[str, Any]) -> Event:
    """Give a report with the first message whose recipients it names; further copies are targets too. Without messages, the report."""
    to = fields.get("to")
    named = {address.lower() for address in to if isinstance(address, str)} if isinstance(to, list) else set()
    ranked = sorted(messages, key=lambda event: not named & _recipients(event))
    if not ranked:
        return report
    others = tuple(target for event in ranked[1:] if not event.handled for target in event.targets)
    return report.with_message(ranked[0], others)


def _recipients(event: Event) -> set[str]:
    recipients = event.record.get("client_recipients")
    return {address.lower() for address in recipients if isinstance(address, str)} if isinstance(recipients, list) else set()
