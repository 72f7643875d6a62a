"""Bulk jobs: Cloudflare moves or releases every message that a search finds.

This is the documented way for campaigns too large for lists of ids. A job takes a search, never
ids. Source: reference §1.3.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from clawback.cloudflare.api_request import (
    ApiRequest,
    Method,
    check_page_size,
    encode_query,
    format_time,
)
from clawback.cloudflare.operations.investigate import Message
from clawback.cloudflare.operations.operation_group import OperationGroup
from clawback.cloudflare.paging import Page
from clawback.cloudflare.wire_model import (
    Fields,
    Identity,
    InvalidRecord,
    Number,
    Text,
    Timestamp,
    WireModel,
)
from clawback.model.messages import Destination

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "SKIPPED"})


class JobSearch(TypedDict, total=False):
    """The messages that a job acts on.

    `detections_only` defaults to true; `submissions` searches the store of submissions instead.
    """

    start: datetime
    end: datetime
    detections_only: bool
    submissions: bool
    final_disposition: str
    message_action: str
    delivery_status: str
    sender: str
    recipient: str
    subject: str
    exact_subject: str
    message_id: str
    alert_id: str
    domain: str
    query: str


class Job(WireModel):
    """One bulk job (`BulkJobDetail`) and its counts."""

    job_id = Identity()
    action_type = Text()
    action_params = Fields()
    search_params = Fields()
    status = Text()
    status_message = Text()
    comment = Text()
    created_at = Timestamp()
    started_at = Timestamp()
    completed_at = Timestamp()
    total_messages_discovered = Number()
    messages_pending = Number()
    messages_successful = Number()
    messages_failed = Number()
    messages_skipped = Number()
    messages_cancelled = Number()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended; an unknown status counts as running."""
        return self.status in TERMINAL_STATUSES


class JobMessage(WireModel):
    """One message of a job.

    `message_id` is the job's own id; `postfix_id`, `alert_id` and `email_message_id` name the mail.
    """

    message_id = Identity()
    postfix_id = Text()
    alert_id = Text()
    email_message_id = Text()
    status = Text()
    status_message = Text()
    retry_count = Number()
    retry_after = Timestamp()
    created_at = Timestamp()
    processed_at = Timestamp()
    action_params = Fields()

    @property
    def message(self) -> Message | None:
        """The message itself, if the response holds it (since September 2026)."""
        try:
            return Message.parse(self.record.get("message"))
        except InvalidRecord:
            return None


class BulkJobs(OperationGroup):
    """Starts, reads, cancels and deletes bulk jobs."""

    async def move_all(self, destination: str, *, comment: str, **search: Unpack[JobSearch]) -> Job:
        """Move every message of a search: POST `investigate/bulk`, 201. Permission: Write.

        Make `comment` unique: after `UnknownOutcome` it is the only way to find the job in `jobs`.
        """
        destination = Destination(destination).value
        return await self._create(
            {"action": "MOVE", "destination": destination, "comment": comment}, search
        )

    async def release_all(self, *, comment: str, **search: Unpack[JobSearch]) -> Job:
        """Release every message of a search: POST `investigate/bulk`, 201. Permission: Write.

        Make `comment` unique, as for `move_all`.
        """
        return await self._create({"action": "RELEASE", "comment": comment}, search)

    async def jobs(
        self,
        *,
        action_type: str | None = None,
        status: str | None = None,
        page: int = 1,
        per_page: int = 1000,
    ) -> Page[Job]:
        """List bulk jobs, one page at a time: GET `investigate/bulk`. Permission: Read.

        `action_type` is MOVE or RELEASE.
        """
        values = {
            "action_type": action_type,
            "status": status,
            "page": page,
            "per_page": check_page_size(per_page),
        }
        request = ApiRequest(Method.GET, "investigate/bulk", query=encode_query(values))
        return await self._fetch_page(request, Job, page, per_page)

    async def job(self, job_id: str) -> Job:
        """Read one bulk job: GET `investigate/bulk/{id}`. Permission: Read."""
        request = ApiRequest(Method.GET, "investigate/bulk/{id}", (job_id,))
        return await self._fetch_one(request, Job)

    async def job_messages(
        self, job_id: str, *, status: str | None = None, page: int = 1, per_page: int = 1000
    ) -> Page[JobMessage]:
        """List the messages of a job: GET `investigate/bulk/{id}/messages`. Permission: Read."""
        query = encode_query(
            {"status": status, "page": page, "per_page": check_page_size(per_page)}
        )
        request = ApiRequest(Method.GET, "investigate/bulk/{id}/messages", (job_id,), query)
        return await self._fetch_page(request, JobMessage, page, per_page)

    async def cancel_job(self, job_id: str) -> Job:
        """Cancel what a job has not done yet: POST `investigate/bulk/{id}/cancel`.

        Safe to retry. Permission: Write.
        """
        endpoint = "investigate/bulk/{id}/cancel"
        request = ApiRequest(Method.POST, endpoint, (job_id,), idempotent=True)
        return await self._fetch_one(request, Job)

    async def delete_job(self, job_id: str) -> None:
        """Delete a job that has ended: DELETE `investigate/bulk/{id}`. Permission: Write."""
        request = ApiRequest(Method.DELETE, "investigate/bulk/{id}", (job_id,))
        await self._transport.confirm(request)

    async def _create(self, fields: Mapping[str, Any], search: JobSearch) -> Job:
        search_params = {
            name: format_time(value) if isinstance(value, datetime) else value
            for name, value in search.items()
            if value is not None
        }
        body = {**fields, "search_params": search_params}
        return await self._fetch_one(ApiRequest(Method.POST, "investigate/bulk", body=body), Job)
