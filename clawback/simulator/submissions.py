"""Submissions: what was requested, and the outcome that follows. Source: reference §1.5, §2.3."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from clawback.simulator.mail import Mail
from clawback.simulator.options import ReviewVerdict
from clawback.simulator.responses import format_time

_SIX_LABELS = {
    label: label for label in ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK", "NONE")
} | {"MALICIOUS-BEC": "MALICIOUS"}


@dataclass(slots=True)
class Submission:
    """A submission and its future outcome, which the record shows from `outcome_at` on."""

    record: dict[str, Any]
    requested_at: datetime
    outcome: Mapping[str, Any] = field(default_factory=dict)
    outcome_at: datetime | None = None

    def record_at(self, now: datetime) -> dict[str, Any]:
        """Return the record as of a time."""
        due = self.outcome_at is not None and self.outcome_at <= now
        return {**self.record, **self.outcome} if due else self.record

    def escalate(self, team_submission: str, disposition: str, now: datetime) -> None:
        """Mark this user submission as escalated to a team submission."""
        added = {
            "escalated_submission_id": team_submission,
            "escalated_at": format_time(now),
            "escalated_as": disposition,
            "escalated_by": "api",
        }
        self.record = self.record | added | {"customer_status": "escalated"}


@dataclass(frozen=True, slots=True)
class Review:
    """How submissions are decided, and how long that takes."""

    verdict: ReviewVerdict
    after: timedelta


def build_team_submission(
    mail: Mail | None, disposition: str, now: datetime, review: Review
) -> Submission:
    """Build a team submission. `mail` is None if the message is unknown."""
    original = _SIX_LABELS.get(mail.disposition or "") if mail else None
    record = {
        "submission_id": str(uuid4()),
        "requested_at": format_time(now),
        "requested_by": "api",
        "requested_disposition": disposition,
        "original_disposition": original,
        "outcome": None,
        "outcome_disposition": None,
        "status": "submitted",
        "subject": mail.original_subject if mail else None,
        "type": "Team",
        "customer_status": "unreviewed",
        "escalated_submission_id": None,
        "original_postfix_id": mail.postfix_id if mail else None,
        "original_edf_hash": mail.edf_hash if mail else None,
    }
    is_accepted = review.verdict is ReviewVerdict.ACCEPTED
    outcome = {
        "status": "completed",
        "outcome": review.verdict,
        "outcome_disposition": disposition if is_accepted else original,
        "customer_status": "reviewed",
    }

    return Submission(record, now, outcome, now + review.after)
