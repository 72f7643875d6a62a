"""Events: one module per kind; `base` says what a kind must have.

To add one: add it to `EventKind`, write its `EventSource`, list it in `SOURCES`, give its fields to
`clawback.rules.source.field_catalogue` and its list operation to `clawback.ingest`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clawback.model.events.base import (
    MESSAGE,
    Enrichment,
    Event,
    EventKind,
    EventSource,
    JoinSearch,
    NotAnEvent,
)
from clawback.model.events.message import MESSAGES, is_moved, is_released, message_event
from clawback.model.events.phishguard_report import PhishGuardReportSource
from clawback.model.events.submission import SubmissionSource

SOURCES: Mapping[EventKind, EventSource] = {
    source.kind: source for source in (MESSAGES, PhishGuardReportSource(), SubmissionSource())
}


SOURCES_BY_NAME: Mapping[str, EventSource] = {
    source.short_name: source for source in SOURCES.values()
}
"""The same by the key of a record in event files and corpora."""


def source_of(event: Event) -> EventSource:
    """What the kind of an event knows about it."""
    return SOURCES[event.kind]


def build_event(kind: EventKind, record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of a record that was read at `seen_at`.

    Raises:
        NotAnEvent: the record has no id.

    """
    return SOURCES[kind].build(record, seen_at)


def age_of(event: Event, now: datetime) -> timedelta:
    """How old an event is, or the oldest message it is about.

    A submission of today may be about mail of last week.
    """
    return now - min((event.at, *(copy.at for copy in event.copies)))


def is_too_old(event: Event, now: datetime, limit: timedelta | None) -> bool:
    """Whether an event, or the mail that it is about, is older than `limit` (None: no limit)."""
    return limit is not None and age_of(event, now) > limit


__all__ = [
    "MESSAGE",
    "SOURCES",
    "SOURCES_BY_NAME",
    "Enrichment",
    "Event",
    "EventKind",
    "EventSource",
    "JoinSearch",
    "NotAnEvent",
    "age_of",
    "build_event",
    "is_moved",
    "is_released",
    "is_too_old",
    "message_event",
    "source_of",
]
