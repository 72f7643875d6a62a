"""Messages: records of the Investigate list (`MessageDetails`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from clawback.model.events.base import Event, EventKind, EventSource, first_time
from clawback.model.events.canonical_record import MESSAGE_FORMS, Forms


class MessageSource(EventSource):
    """A message that was scanned. Its time is `scanned_at`, or `sent_at` if that makes no sense."""

    kind: ClassVar[EventKind] = EventKind.MESSAGE
    forms: ClassVar[Forms] = MESSAGE_FORMS
    short_name: ClassVar[str] = "message"
    id_field: ClassVar[str] = "id"
    message_prefix: ClassVar[str] = ""
    default_group: ClassVar[tuple[str, ...]] = ("edf_hash",)
    verdict_fields: ClassVar[tuple[str, ...]] = ("final_disposition",)
    sender_fields: ClassVar[tuple[str, ...]] = ("from", "envelope_from")
    subject_fields: ClassVar[tuple[str, ...]] = ("subject", "from_name")

    def build(self, record: Mapping[str, Any], seen_at: datetime) -> Event:
        at = first_time(record, seen_at, "scanned_at", "sent_at")
        return self._event(record, at, seen_at, handled=_is_handled(record))

    def is_shape_of(self, record: Mapping[str, Any]) -> bool:
        return "scanned_at" in record


MESSAGES = MessageSource()


def message_event(record: Mapping[str, Any], seen_at: datetime) -> Event:
    """Build the event of an Investigate record."""
    return MESSAGES.build(record, seen_at)


def is_moved(record: Mapping[str, Any]) -> bool:
    """Whether somebody moved a message after delivery."""
    status = record.get("delivery_status")
    return _has_operation(record, "MOVE") or (isinstance(status, list) and "moved" in status)


def is_released(record: Mapping[str, Any]) -> bool:
    """Whether somebody released a message from quarantine."""
    return _has_operation(record, "QUARANTINE_RELEASE")


def _has_operation(record: Mapping[str, Any], operation: str) -> bool:
    operations = record.get("post_delivery_operations")
    return isinstance(operations, list) and operation in operations


def _is_handled(record: Mapping[str, Any]) -> bool:
    return is_moved(record) or is_released(record) or record.get("is_quarantined") is True
