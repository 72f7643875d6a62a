"""What people said of messages: PhishGuard reports and submissions. Source: reference §1.4, §1.5."""

from datetime import datetime
from typing import Any, TypedDict, Unpack

from clawback.cloudflare.calls import Call, Method, page_size, query
from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import Report, Submission


class SubmissionFilters(TypedDict, total=False):
    """What the list of submissions may be narrowed by. `type` is TEAM or USER, `status` escalated, reviewed or unreviewed."""

    type: str | None
    submission_id: str | None
    original_disposition: str | None
    requested_disposition: str | None
    outcome_disposition: str | None
    status: str | None
    query: str | None
    escalated_from_user: bool | None


class Feedback(Operations):
    """Reads reports and submissions."""

    async def phishguard_reports(self, *, start: datetime, end: datetime, page: int = 1, per_page: int = 1000) -> Page[Report]:
        """Read one page of the reports written in `[start, end)`: GET `phishguard/reports`. Permission: Read.

        A server from before October 2026 ignores `page` and gives the whole list every time; `pages` copes.
        """
        values: dict[str, Any] = {"start": start, "end": end, "page": page, "per_page": page_size(per_page)}
        return await self._counted(Call(Method.GET, "phishguard/reports", query=query(values)), Report, page, per_page)

    async def submissions(
        self, *, start: datetime, end: datetime, page: int = 1, per_page: int = 1000, **filters: Unpack[SubmissionFilters]
    ) -> Page[Submission]:
        """Read one page of the submissions requested in `[start, end)`: GET `submissions`. Permission: Read."""
        values: dict[str, Any] = {**filters, "start": start, "end": end, "page": page, "per_page": page_size(per_page)}
        return await self._counted(Call(Method.GET, "submissions", query=query(values)), Submission, page, per_page)
