"""What can happen: a message was scanned, a PhishGuard report was written, a submission was made.

An event is the API's own record under its current field names, plus what code needs without looking into it: kind, id, time and the
messages it is about. Building one never fails for anything but a missing id; odd values stay as they came, for rules to see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from clawback.payloads import Payload, UtcDatetime, parse_moment


class EventKind(StrEnum):
    """The three sources of events; the values are the `logsource.category` of a rule."""

    MESSAGE = "message"
    PHISHGUARD_REPORT = "phishguard_report"
    SUBMISSION = "submission"


class NotAnEvent(ValueError):
    """A record without the one thing an event must have: an id."""


class Target(Payload):
    """One message that a case may act on.

    `id` is the investigate id, which every action wants; `message_id` the RFC 5322 header; `at` when it was scanned, for finding it again.
    """

    id: str
    message_id: str | None = None
    at: UtcDatetime


@dataclass(frozen=True, slots=True)
class Event:
    """One record of one source, as rules see it.

    `record` holds the API's JSON under current names. `record["detections"]` is the answer of `/detections` where it has been fetched
    (absent means not known); on reports and submissions `record["message"]` is the joined message. `handled` says that the message
    had already been moved, released or quarantined by somebody when it was read.
    """

    kind: EventKind
    id: str
    at: datetime
    record: Mapping[str, Any]
    targets: tuple[Target, ...] = ()
    handled: bool = False

    @property
    def key(self) -> str:
        """The id that is unique over all kinds; what cases dedupe by."""
        return f"{self.kind}/{self.id}"

    def with_detections(self, detections: Mapping[str, Any]) -> "Event":
        """The same event with the answer of `/detections` filled in (on a report or submission: in its message)."""
        record = {**self.record, "detections": detections}
        if self.kind is not EventKind.MESSAGE and isinstance(message := self.record.get("message"), Mapping):
            record = {**self.record, "message": {**message, "detections": detections}}
        return Event(self.kind, self.id, self.at, record, self.targets, self.handled)

    def with_message(self, message: "Event", others: tuple[Target, ...] = ()) -> "Event":
        """This report or submission joined to the message it is about (and to further copies of it)."""
        record = {**self.record, "message": message.record}
        return Event(self.kind, self.id, self.at, record, (*message.targets, *others), message.handled)


def message_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of an Investigate record (`MessageDetails`); its time is `scanned_at`, or `seen_at` where that makes no sense."""
    identity = _identity(record, "id")
    at = _moment(record, seen_at, "scanned_at", "sent_at")
    message_id = record.get("message_id")
    target = Target(id=identity, message_id=message_id if isinstance(message_id, str) else None, at=at)
    return Event(EventKind.MESSAGE, identity, at, record, (target,), _is_handled(record))


def report_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of a PhishGuard report, not yet joined; its time is `created_at`, then `fields.occurred_at`."""
    fields = record.get("fields")
    nested = fields if isinstance(fields, Mapping) else {}
    at = parse_moment(record.get("created_at")) or _moment(nested, seen_at, "occurred_at")
    return Event(EventKind.PHISHGUARD_REPORT, _identity(record, "id"), min(at, seen_at), record)


def submission_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of a submission, not yet joined; its time is `requested_at`."""
    return Event(EventKind.SUBMISSION, _identity(record, "submission_id"), _moment(record, seen_at, "requested_at"), record)


def is_too_old(event: Event, now: datetime, limit: timedelta | None) -> bool:
    """Whether the event happened longer ago than the age limit; None means there is no limit."""
    return limit is not None and now - event.at > limit


def _identity(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise NotAnEvent(f"the record has no {field!r}")
    return str(value)


def _moment(record: Mapping[str, Any], seen_at: datetime, *fields: str) -> datetime:
    for field in fields:
        if (moment := parse_moment(record.get(field))) is not None:
            return min(moment, seen_at)
    return seen_at


def is_moved(record: Mapping[str, Any]) -> bool:
    """Whether a message record says that the message has been moved after delivery, by whomever."""
    operations = record.get("post_delivery_operations")
    status = record.get("delivery_status")
    return (isinstance(operations, list) and "MOVE" in operations) or (isinstance(status, list) and "moved" in status)


def _is_handled(record: Mapping[str, Any]) -> bool:
    return is_moved(record) or record.get("is_quarantined") is True
