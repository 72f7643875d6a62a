"""The records of the operations that a responder lives on.

Messages, action log, moves, reports, submissions, blocked senders.

Field names are the API's of November 2026 (reference §1.3 to §1.6); see `wire` for how leniently
they are read.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from clawback.cloudflare.wire import (
    Fields,
    Flag,
    Identity,
    Moment,
    Number,
    Text,
    Texts,
    Wire,
    objects,
    rename,
)

_COMPLETED = {"completed_timestamp": "completed_at"}
_OCCURRED = {"ts": "occurred_at"}
_PATTERN_TYPE = {"whitelisted_pattern_type": "allowlisted_pattern_type"}


class Message(Wire):
    """One message of Investigate (`MessageDetails`).

    `id` is the investigate id that every action wants.
    """

    renamed: ClassVar[Mapping[str, str]] = {"ts": "scanned_at", "sent_date": "sent_at"}

    id: Identity
    postfix_id: Text = None
    message_id: Text = None
    alert_id: Text = None
    edf_hash: Text = None
    subject: Text = None
    from_name: Text = None
    envelope_from: Text = None
    replyto: Text = None
    final_disposition: Text = None
    delivery_mode: Text = None
    scanned_at: Moment = None
    sent_at: Moment = None
    is_quarantined: Flag = None
    is_phish_submission: Flag = None
    to: Texts = ()
    envelope_to: Texts = ()
    client_recipients: Texts = ()
    delivery_status: Texts = ()
    detection_reasons: Texts = ()
    threat_categories: Texts = ()
    post_delivery_operations: Texts = ()
    properties: Fields = Field(default_factory=dict)
    validation: Fields = Field(default_factory=dict)

    @property
    def sender(self) -> str | None:
        """The address of the `from` field (a Python keyword)."""
        value = self.record.get("from")
        return value if isinstance(value, str) else None

    @classmethod
    def current(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Today's names, also inside `properties` and `action_log`.

        A single `delivery_status` becomes a list.
        """
        record = rename(raw, cls.renamed)
        if isinstance(record.get("delivery_status"), str):
            record["delivery_status"] = [record["delivery_status"]]
        if isinstance(record.get("properties"), Mapping):
            record["properties"] = rename(record["properties"], _PATTERN_TYPE)
        if isinstance(record.get("action_log"), list):
            record["action_log"] = [
                rename(entry, _COMPLETED) for entry in objects(record["action_log"])
            ]
        return record


class ActionLogEntry(Wire):
    """One thing that was done to a message (`ActionEntry`).

    The documented place to verify that an earlier POST took effect.
    """

    renamed: ClassVar[Mapping[str, str]] = _COMPLETED

    operation: Text = None
    status: Text = None
    success: Flag = None
    started_at: Moment = None
    completed_at: Moment = None
    properties: Fields = Field(default_factory=dict)


class MoveItem(Wire):
    """What became of one (message, recipient) of a move (`MoveResponseItem`).

    A missing `success` counts as not moved.
    """

    renamed: ClassVar[Mapping[str, str]] = _COMPLETED

    success: Flag = None
    message_id: Text = None
    recipient: Text = None
    destination: Text = None
    operation: Text = None
    status: Text = None
    completed_at: Moment = None
    item_count: Number = None


class Report(Wire):
    """One PhishGuard report.

    `fields` has `to`, `from`, `postfix_id` and `occurred_at` of the message it is about.
    """

    renamed: ClassVar[Mapping[str, str]] = {"ts": "created_at"}

    id: Identity
    title: Text = None
    content: Text = None
    priority: Text = None
    disposition: Text = None
    created_at: Moment = None
    updated_at: Moment = None
    fields: Fields = Field(default_factory=dict)

    @classmethod
    def current(cls, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Today's names, also inside `fields`."""
        record = rename(raw, cls.renamed)
        if isinstance(record.get("fields"), Mapping):
            record["fields"] = rename(record["fields"], _OCCURRED)
        return record


class Submission(Wire):
    """One submission by a team or a user.

    It names its message only by `original_postfix_id` and `original_edf_hash`.
    """

    renamed: ClassVar[Mapping[str, str]] = {"requested_ts": "requested_at"}

    submission_id: Identity
    requested_at: Moment = None
    requested_by: Text = None
    requested_disposition: Text = None
    original_disposition: Text = None
    outcome_disposition: Text = None
    outcome: Text = None
    status: Text = None
    subject: Text = None
    type: Text = None
    customer_status: Text = None
    escalated_as: Text = None
    escalated_at: Moment = None
    escalated_by: Text = None
    escalated_submission_id: Text = None
    original_postfix_id: Text = None
    original_edf_hash: Text = None


class BlockedSender(Wire):
    """One entry of the block list; `comments` is where ownership is kept."""

    renamed: ClassVar[Mapping[str, str]] = {"last_modified": "modified_at"}

    id: Identity
    pattern: Text = None
    pattern_type: Text = None
    is_regex: Flag = None
    comments: Text = None
    created_at: Moment = None
    modified_at: Moment = None
