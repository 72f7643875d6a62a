"""Bulk jobs: their messages, counters and progress. Source: reference §1.3 (bulk jobs)."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from clawback.simulator.mail import Mail
from clawback.simulator.mailbox_store import MailboxSearch
from clawback.simulator.responses import format_time


class JobStatus(StrEnum):
    """The progress of a job; the last three are final."""

    PENDING = "PENDING"
    DISCOVERING = "DISCOVERING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(slots=True)
class JobMessage:
    """One message of a job, for one of its recipients."""

    mail: Mail
    recipient: str
    created_at: datetime
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "PENDING"
    status_message: str | None = None
    processed_at: datetime | None = None

    def end(self, status: str, now: datetime, reason: str | None = None) -> None:
        self.status, self.processed_at, self.status_message = status, now, reason

    def to_json(self, action: str, destination: str | None) -> dict[str, Any]:
        """The row as sent: OpenAPI `BulkActionMessageDetail`, with `message` as in SDK 5.7.0."""
        return {
            "message_id": self.id,
            "postfix_id": self.mail.postfix_id,
            "alert_id": self.mail.alert_id,
            "email_message_id": self.mail.message_id,
            "action_type": action,
            "action_params": action_params(action, destination)
            | {"client_recipient": self.recipient},
            "status": self.status,
            "status_message": self.status_message,
            "retry_count": 0,
            "retry_after": None,
            "created_at": format_time(self.created_at),
            "processed_at": format_time(self.processed_at) if self.processed_at else None,
            "message": json.loads(self.mail.record),
        }


@dataclass(slots=True)
class BulkJob:
    """A job: what it does, the request that created it, and its progress."""

    action: str
    destination: str | None
    search_params: Mapping[str, Any]
    search: MailboxSearch
    comment: str | None
    request: int
    created_at: datetime
    id: str = field(default_factory=lambda: str(uuid4()))
    status: JobStatus = JobStatus.PENDING
    messages: list[JobMessage] | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    def end(self, status: JobStatus, now: datetime) -> None:
        self.status, self.completed_at = status, now

    def to_json(self) -> dict[str, Any]:
        """The job as sent: OpenAPI `BulkJobDetail`, with the counters of SDK 5.8.0.

        `total_messages_discovered` is the sum of the other five.
        """
        counts = Counter(message.status for message in self.messages or ())
        return {
            "job_id": self.id,
            "action_type": self.action,
            "action_params": action_params(self.action, self.destination),
            "search_params": dict(self.search_params),
            "status": self.status,
            "status_message": None,
            "comment": self.comment,
            "created_at": format_time(self.created_at),
            "started_at": format_time(self.started_at) if self.started_at else None,
            "completed_at": format_time(self.completed_at) if self.completed_at else None,
            "total_messages_discovered": sum(counts.values()),
            "messages_pending": counts["PENDING"],
            "messages_successful": counts["COMPLETED"],
            "messages_failed": counts["FAILED"],
            "messages_skipped": counts["SKIPPED"],
            "messages_cancelled": counts["CANCELLED"],
        }


def action_params(action: str, destination: str | None) -> dict[str, Any]:
    return {"type": action, "destination": destination} if destination else {"type": action}
