"""What people report about messages: PhishGuard reports and submissions.

Source: reference §1.4, §1.5.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypedDict, TypeVar, Unpack

from clawback.cloudflare.api_request import (
    ApiRequest,
    Method,
    check_page_size,
    encode_query,
)
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.paging import Page
from clawback.cloudflare.time_split import read_numbered
from clawback.cloudflare.wire_model import (
    Fields,
    Identity,
    Text,
    Timestamp,
    WireModel,
    rename_fields,
)
from clawback.model.messages import MAX_MESSAGES_PER_REQUEST, Disposition
from clawback.model.time_ranges import TimeRange

R = TypeVar("R", bound=WireModel)

_OCCURRED = {"ts": "occurred_at"}


class Report(WireModel):
    """One PhishGuard report.

    `fields` has `to`, `from`, `postfix_id` and `occurred_at` of the reported message.
    """

    renamed: ClassVar[Mapping[str, str]] = {"ts": "created_at"}

    id = Identity()
    title = Text()
    content = Text()
    priority = Text()
    disposition = Text()
    created_at = Timestamp()
    updated_at = Timestamp()
    fields = Fields()

    @classmethod
    def with_current_names(cls, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rename also inside `fields`."""
        record = rename_fields(raw, cls.renamed)
        fields = record.get("fields")
        if not isinstance(fields, Mapping):
            return record
        return {**record, "fields": rename_fields(fields, _OCCURRED)}


class Submission(WireModel):
    """One submission by a team or a user.

    It names its message only by `original_postfix_id` and `original_edf_hash`.
    """

    renamed: ClassVar[Mapping[str, str]] = {"requested_ts": "requested_at"}

    submission_id = Identity()
    requested_at = Timestamp()
    requested_by = Text()
    requested_disposition = Text()
    original_disposition = Text()
    outcome_disposition = Text()
    outcome = Text()
    status = Text()
    subject = Text()
    type = Text()
    customer_status = Text()
    escalated_as = Text()
    escalated_at = Timestamp()
    escalated_by = Text()
    escalated_submission_id = Text()
    original_postfix_id = Text()
    original_edf_hash = Text()


class SubmissionFilters(TypedDict, total=False):
    """List filters: `type` is TEAM or USER; `status` is escalated, reviewed or unreviewed."""

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
    """A request for another disposition of one detection, by its alert id."""

    alert_id: str
    disposition: str
    escalated_submission_id: str | None = None

    @property
    def body(self) -> dict[str, str]:
        """The item of the request body."""
        item = {
            "alert_id": self.alert_id,
            "expected_disposition": Disposition(self.disposition).value,
        }
        if self.escalated_submission_id is not None:
            item["escalated_submission_id"] = self.escalated_submission_id

        return item


class Feedback(OperationGroup):
    """Reads reports and submissions, and creates submissions."""

    async def phishguard_reports(
        self,
        *,
        start: datetime,
        end: datetime,
        page: int = 1,
        cursor: str | None = None,
        per_page: int = 1000,
    ) -> Page[Report]:
        """List the reports of `[start, end)`, one page at a time: GET `phishguard/reports`.

        A server from before October 2026 ignores `page` and returns the whole list every time;
        `pages` handles that. `cursor` is the `divided` of a page. Permission: Read.
        """
        fetch = self._fetcher("phishguard/reports", Report, per_page, {})
        window = TimeRange(start=start, end=end)
        return await read_numbered(window, fetch, page, cursor, self._transport.report_paging)

    async def submissions(
        self,
        *,
        start: datetime,
        end: datetime,
        page: int = 1,
        cursor: str | None = None,
        per_page: int = 1000,
        **filters: Unpack[SubmissionFilters],
    ) -> Page[Submission]:
        """List the submissions of `[start, end)`, one page at a time: GET `submissions`.

        `cursor` is the `divided` of a page. Permission: Read.
        """
        fetch = self._fetcher("submissions", Submission, per_page, filters)
        window = TimeRange(start=start, end=end)
        return await read_numbered(window, fetch, page, cursor, self._transport.report_paging)

    async def submit(self, messages: Sequence[Resubmission]) -> None:
        """Request other dispositions of detections: POST `submissions`. Permission: Write.

        The successor of `reclassify`; it also takes effect later. The response is not documented,
        so only the status counts. Each call creates submissions: after `UnknownOutcome` look for
        them in `submissions` before you retry. `missed_detection` is not offered, because its
        fields could not be confirmed.

        Raises:
            ValueError: no messages, or more than 1,000.
            ApiError: see `errors`.

        """
        if not 1 <= len(messages) <= MAX_MESSAGES_PER_REQUEST:
            raise ValueError(f"one request takes 1 to {MAX_MESSAGES_PER_REQUEST} messages")
        body = {"type": "reclassification", "messages": [message.body for message in messages]}
        await self._transport.confirm(ApiRequest(Method.POST, "submissions", body=body))

    def _fetcher(
        self, endpoint: str, model: type[R], per_page: int, filters: Mapping[str, Any]
    ) -> Callable[[TimeRange, int], Awaitable[Page[R]]]:
        """Return what fetches a numbered page of a window."""

        async def fetch(window: TimeRange, number: int) -> Page[R]:
            values: dict[str, Any] = {
                **filters,
                "start": window.start,
                "end": window.end,
                "page": number,
                "per_page": check_page_size(per_page),
            }
            request = ApiRequest(Method.GET, endpoint, query=encode_query(values))
            return await self._fetch_page(request, model, number, per_page)

        return fetch
