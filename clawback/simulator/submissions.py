"""Submissions as they are kept: what was asked, and the outcome that arrives later.

Source: reference §1.5 and §2.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from clawback.simulator.envelopes import stamp
from clawback.simulator.mail import Mail
from clawback.simulator.options import ReviewVerdict

_SIX_LABELS = {
    label: label for label in ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK", "NONE")
} | {"MALICIOUS-BEC": "MALICIOUS"}


@dataclass(slots=True)
class Submission:
    """A submission and what will become of it.

    The outcome is in the record only from `outcome_at` on.
    """

    record: dict[str, Any]
    requested_at: datetime
    outcome: Mapping[str, Any] = field(default_factory=dict)
    outcome_at: datetime | None = None

    def seen(self, now: datetime) -> dict[str, Any]:
        """The record as it reads now."""
        due = self.outcome_at is not None and self.outcome_at <= now
        return {**self.record, **self.outcome} if due else self.record

    def escalate(self, team_submission: str, disposition: str, now: datetime) -> None:
        """Note that this submission of a user became one of the team."""
        added = {
            "escalated_submission_id": team_submission,
            "escalated_at": stamp(now),
            "escalated_as": disposition,
            "escalated_by": "api",
        }
        self.record = self.record | added | {"customer_status": "escalated"}


@dataclass(frozen=True, slots=True)
class Review:
    """How submissions are decided, and after how long."""

    verdict: ReviewVerdict
    after: timedelta


def team_submission(
    mail: Mail | None, disposition: str, now: datetime, review: Review
) -> Submission:
    """A submission of the team, of a message or of something nobody here knows."""
    original = _SIX_LABELS.get(mail.disposition or "") if mail else None
    record = {
        "submission_id": str(uuid4()),
        "requested_at": stamp(now),
        "requested_by": "api",
        "requested_disposition": disposition,
        "original_disposition": original,
        "outcome": None,
        "outcome_disposition": None,
        "status": "submitted",
        "subject": mail.written_subject if mail else None,
        "type": "Team",
        "customer_status": "unreviewed",
        "escalated_submission_id": None,
        "original_postfix_id": mail.postfix_id if mail else None,
        "original_edf_hash": mail.edf_hash if mail else None,
    }
    agreed = review.verdict is ReviewVerdict.ACCEPTED
    outcome = {
        "status": "completed",
        "outcome": review.verdict,
        "outcome_disposition": disposition if agreed else original,
        "customer_status": "reviewed",
    }
    return Submission(record, now, outcome, now + review.after)
