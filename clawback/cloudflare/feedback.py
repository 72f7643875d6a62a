"""What people said of messages: PhishGuard reports and submissions.

Source: reference §1.4, §1.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import Report, Submission
from clawback.cloudflare.requests import MOST_IDS, ApiRequest, Method, page_size, query
from clawback.model.messages import Disposition


class SubmissionFilters(TypedDict, total=False):
    """What the list of submissions may be narrowed by.

    `type` is TEAM or USER, `status` escalated, reviewed or unreviewed.
    """

    type: str | None
    submission_id: str | None
    original_disposition: str | None
    requested_disposition: str | None
    outcome_disposition: str | None
    status: str | None
    query: str | None
    escalated_from_user: bool | None


@dataclass(frozen=True, slots=True)
class Resubmission:
    """One message that should have another disposition, by its alert id.

    Only detections have one.
    """

    alert_id: str
    disposition: str
    escalated_submission_id: str | None = None

    @property
    def body(self) -> dict[str, str]:
        """The item as the API takes it."""
        item = {
            "alert_id": self.alert_id,
            "expected_disposition": Disposition(self.disposition).value,
        }
        return (
            item
            if self.escalated_submission_id is None
            else {**item, "escalated_submission_id": self.escalated_submission_id}
        )


class Feedback(Operations):
    """Reads reports and submissions, and makes submissions."""

    async def phishguard_reports(
        self, *, start: datetime, end: datetime, page: int = 1, per_page: int = 1000
    ) -> Page[Report]:
        """Read one page of the reports written in `[start, end)`: GET `phishguard/reports`.

        Permission: Read.

        A server from before October 2026 ignores `page` and gives the whole list every time;
        `pages` copes.
        """
        values: dict[str, Any] = {
            "start": start,
            "end": end,
            "page": page,
            "per_page": page_size(per_page),
        }
        return await self._counted(
            ApiRequest(Method.GET, "phishguard/reports", query=query(values)),
            Report,
            page,
            per_page,
        )

    async def submissions(
        self,
        *,
        start: datetime,
        end: datetime,
        page: int = 1,
        per_page: int = 1000,
        **filters: Unpack[SubmissionFilters],
    ) -> Page[Submission]:
        """Read one page of the submissions requested in `[start, end)`: GET `submissions`.

        Permission: Read.
        """
        values: dict[str, Any] = {
            **filters,
            "start": start,
            "end": end,
            "page": page,
            "per_page": page_size(per_page),
        }
        return await self._counted(
            ApiRequest(Method.GET, "submissions", query=query(values)), Submission, page, per_page
        )

    async def submit(self, messages: Sequence[Resubmission]) -> None:
        """Ask for other dispositions of detections.

        POST `submissions`, the successor of `reclassify`, done later. Permission: Write.

        What it answers is not documented, so only the status counts. Each call makes new
        submissions: after `UnknownOutcome` look for them in `submissions` before repeating. The
        fields of a `missed_detection` could not be confirmed, so it is not offered.

        Raises:
            ValueError: no message, or more than 1,000.
            ApiError: see `errors`.

        """
        if not 1 <= len(messages) <= MOST_IDS:
            raise ValueError(f"one request takes 1 to {MOST_IDS} messages")
        body = {"type": "reclassification", "messages": [message.body for message in messages]}
        await self._connection.confirm(ApiRequest(Method.POST, "submissions", body=body))
