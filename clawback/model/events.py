"""What can happen: a message was scanned, a PhishGuard report was written, a submission was made.

An event is the API's own record under its current field names, plus what code needs without looking
into it: kind, id, time and the messages it is about. Building one never fails for anything but a
missing id; odd values stay as they came, for rules to see.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.messages import Target
from clawback.model.times import parse_time


class EventKind(StrEnum):
    """The three sources of events; the values are the `logsource.category` of a rule."""

    MESSAGE = "message"
    PHISHGUARD_REPORT = "phishguard_report"
    SUBMISSION = "submission"


_CHANGES = (
    "requested_disposition",
    "outcome",
    "outcome_disposition",
    "status",
    "customer_status",
    "escalated_as",
    "escalated_at",
    "escalated_by",
    "escalated_submission_id",
)
"""What of a submission changes while it is reviewed; each change is an event of its own."""


_LONGEST_VERDICT = 40
_LONGEST_ADDRESS = 320


class NotAnEvent(ValueError):
    """A record without the one thing an event must have: an id."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record of one source, as rules see it.

    `record` holds the API's JSON under current names. `record["detections"]` is the answer of
    `/detections` where it has been fetched (absent means not known); on reports and submissions
    `record["message"]` is the joined message. `handled` says that the message had already been
    moved, released or quarantined by somebody when it was read. `version` tells the states of a
    record apart that changes (a submission before and after its review): each state is an event,
    and all of them are of one `identity`.
    """

    kind: EventKind
    id: str
    at: datetime
    record: Mapping[str, Any]
    targets: tuple[Target, ...] = ()
    handled: bool = False
    version: str = ""

    @property
    def identity(self) -> str:
        """The record's id, unique over all kinds; what windows count by."""
        return f"{self.kind}/{self.id}"

    @property
    def key(self) -> str:
        """The id of this state of the record, unique over all kinds; what cases dedupe by."""
        return f"{self.identity}@{self.version}" if self.version else self.identity

    def with_detections(self, detections: Mapping[str, Any]) -> "Event":
        """The same event with the answer of `/detections` filled in (on a report or submission.

        In its message).
        """
        record = {**self.record, "detections": detections}
        if self.kind is not EventKind.MESSAGE and isinstance(
            message := self.record.get("message"), Mapping
        ):
            record = {**self.record, "message": {**message, "detections": detections}}
        return replace(self, record=record)

    def with_message(self, message: "Event", others: tuple[Target, ...] = ()) -> "Event":
        """This report or submission joined to the message it is about (and to further copies of it)."""
        record = {**self.record, "message": message.record}
        return replace(
            self, record=record, targets=(*message.targets, *others), handled=message.handled
        )


def message_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of an Investigate record (`MessageDetails`).

    Its time is `scanned_at`, or `seen_at` where that makes no sense.
    """
    identity = _identity(record, "id")
    at = _moment(record, seen_at, "scanned_at", "sent_at")
    message_id = record.get("message_id")
    verdict = record.get("final_disposition")
    target = Target(
        id=identity,
        message_id=message_id if isinstance(message_id, str) else None,
        at=at,
        verdict=verdict[:_LONGEST_VERDICT] if isinstance(verdict, str) else None,
        sender=_address(record.get("from")),
        mailbox=_address(record.get("client_recipients")),
        quarantined=quarantined
        if isinstance(quarantined := record.get("is_quarantined"), bool)
        else None,
    )
    return Event(EventKind.MESSAGE, identity, at, record, (target,), _is_handled(record))


def report_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of a PhishGuard report, not yet joined.

    Its time is `created_at`, then `fields.occurred_at`.
    """
    fields = record.get("fields")
    nested = fields if isinstance(fields, Mapping) else {}
    at = parse_time(record.get("created_at")) or _moment(nested, seen_at, "occurred_at")
    return Event(EventKind.PHISHGUARD_REPORT, _identity(record, "id"), min(at, seen_at), record)


def submission_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of a submission in its present state, not yet joined.

    Its time is `requested_at`, whenever it changed.
    """
    state = "\0".join(str(record.get(name) or "") for name in _CHANGES)
    version = hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:8]
    return Event(
        EventKind.SUBMISSION,
        _identity(record, "submission_id"),
        _moment(record, seen_at, "requested_at"),
        record,
        version=version,
    )


def reporter_of(event: Event) -> str | None:
    """Give the address of the user who submitted a message.

    None for all else: a report does not say who reported (reference §1.4).
    """
    by = event.record.get("requested_by")
    is_users = (
        event.kind is EventKind.SUBMISSION and str(event.record.get("type")).lower() == "user"
    )
    return (
        by
        if is_users and isinstance(by, str) and pattern_problem(by, PatternKind.EMAIL) is None
        else None
    )


def age_of(event: Event, now: datetime) -> timedelta:
    """How long ago it happened, or the oldest message it is about was scanned.

    A submission of today may be about mail of last week.
    """
    return (
        now - min(event.at, *(target.at for target in event.targets))
        if event.targets
        else now - event.at
    )


def is_too_old(event: Event, now: datetime, limit: timedelta | None) -> bool:
    """Whether an event, or the mail that it is about, is older than the age limit.

    None means there is no limit.
    """
    return limit is not None and age_of(event, now) > limit


def _identity(record: Mapping[str, Any], field: str) -> str:
    value = record.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise NotAnEvent(f"the record has no {field!r}")
    return str(value)


def _address(value: object) -> str | None:
    first = value[0] if isinstance(value, list) and value else value
    return first[:_LONGEST_ADDRESS] if isinstance(first, str) and first else None


def _moment(record: Mapping[str, Any], seen_at: datetime, *fields: str) -> datetime:
    for field in fields:
        if (moment := parse_time(record.get(field))) is not None:
            return min(moment, seen_at)
    return seen_at


def is_moved(record: Mapping[str, Any]) -> bool:
    """Whether a message record says that the message has been moved after delivery, by whomever."""
    operations = record.get("post_delivery_operations")
    status = record.get("delivery_status")
    return (isinstance(operations, list) and "MOVE" in operations) or (
        isinstance(status, list) and "moved" in status
    )


def is_released(record: Mapping[str, Any]) -> bool:
    """Whether a message record says that somebody has let the message out of the quarantine."""
    operations = record.get("post_delivery_operations")
    return isinstance(operations, list) and "QUARANTINE_RELEASE" in operations


def _is_handled(record: Mapping[str, Any]) -> bool:
    return is_moved(record) or is_released(record) or record.get("is_quarantined") is True
