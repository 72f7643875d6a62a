"""PhishGuard reports: what Cloudflare's own analysts and automations write about a message."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from clawback.model.events.base import (
    Event,
    EventKind,
    EventSource,
    JoinSearch,
    canonical_addresses,
    first_time,
    text_or_none,
)
from clawback.model.events.canonical_record import REPORT_FORMS, Forms
from clawback.model.times import parse_sensible_time

_AROUND = timedelta(hours=1)


class PhishGuardReportSource(EventSource):
    """A PhishGuard report. Its time is `created_at`, then `fields.occurred_at`."""

    kind: ClassVar[EventKind] = EventKind.PHISHGUARD_REPORT
    forms: ClassVar[Forms] = REPORT_FORMS
    short_name: ClassVar[str] = "report"
    id_field: ClassVar[str] = "id"
    verdict_fields: ClassVar[tuple[str, ...]] = ("disposition",)
    sender_fields: ClassVar[tuple[str, ...]] = ("message.from", "fields.from")
    subject_fields: ClassVar[tuple[str, ...]] = ("message.subject", "title")

    def build(self, record: Mapping[str, Any], seen_at: datetime) -> Event:
        at = first_time(record, seen_at, "created_at")
        at = at or first_time(_fields(record), seen_at, "occurred_at")
        return self._event(record, at, seen_at)

    def is_shape_of(self, record: Mapping[str, Any]) -> bool:
        return isinstance(record.get("fields"), Mapping) or "disposition" in record

    def postfix_id(self, event: Event) -> str | None:
        return text_or_none(_fields(event.record).get("postfix_id"))

    def named_recipients(self, event: Event) -> frozenset[str]:
        return canonical_addresses(_fields(event.record).get("to"))

    def join_search(self, event: Event) -> JoinSearch:
        """Search by sender within an hour of the time that the report gives."""
        fields = _fields(event.as_read)
        at = parse_sensible_time(fields.get("occurred_at"), event.at) or event.at
        sender = text_or_none(fields.get("from"))
        return JoinSearch(
            at - _AROUND, at + _AROUND, sender=sender if sender and "@" in sender else None
        )


def _fields(record: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = record.get("fields")
    return fields if isinstance(fields, Mapping) else {}
