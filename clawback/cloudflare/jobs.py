"""Bulk jobs: move or release whatever a search finds, at Cloudflare's own pace.

Source: reference §1.3.

The documented way for campaigns beyond what a list of ids can name; a job takes a search, never
ids.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from pydantic import Field

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.paging import Page
from clawback.cloudflare.records import Message
from clawback.cloudflare.requests import ApiRequest, Method, page_size, query, wire_time
from clawback.cloudflare.wire import Fields, Identity, Moment, Number, Text, Unreadable, Wire
from clawback.model.messages import Destination

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "SKIPPED"})


class JobSearch(TypedDict, total=False):
    """What a job acts on.

    `detections_only` is true unless given; `submissions` looks in the submissions' store instead.
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


class Job(Wire):
    """One bulk job (`BulkJobDetail`) and its counts."""

    job_id: Identity
    action_type: Text = None
    action_params: Fields = Field(default_factory=dict)
    search_params: Fields = Field(default_factory=dict)
    status: Text = None
    status_message: Text = None
    comment: Text = None
    created_at: Moment = None
    started_at: Moment = None
    completed_at: Moment = None
    total_messages_discovered: Number = None
    messages_pending: Number = None
    messages_successful: Number = None
    messages_failed: Number = None
    messages_skipped: Number = None
    messages_cancelled: Number = None

    @property
    def over(self) -> bool:
        """Whether nothing will change any more; a status nobody knows is not over."""
        return self.status in TERMINAL


class JobMessage(Wire):
    """One message of a job.

    `message_id` is the job's own id for it; `postfix_id`, `alert_id`, `email_message_id` name the
    mail.
    """

    message_id: Identity
    postfix_id: Text = None
    alert_id: Text = None
    email_message_id: Text = None
    status: Text = None
    status_message: Text = None
    retry_count: Number = None
    retry_after: Moment = None
    created_at: Moment = None
    processed_at: Moment = None
    action_params: Fields = Field(default_factory=dict)

    @property
    def message(self) -> Message | None:
        """The message itself where the answer holds it (since September 2026)."""
        try:
            return Message.read(self.record.get("message"))
        except Unreadable:
            return None


class Jobs(Operations):
    """Starts, watches and stops bulk jobs."""

    async def move_all(self, destination: str, *, comment: str, **search: Unpack[JobSearch]) -> Job:
        """Move everything a search finds: POST `investigate/bulk`, 201. Permission: Write.

        Put something unique into `comment`: after `UnknownOutcome` it is what finds the job in
        `jobs`, so that it is not made twice.
        """
        return await self._create(
            {"action": "MOVE", "destination": Destination(destination).value, "comment": comment},
            search,
        )

    async def release_all(self, *, comment: str, **search: Unpack[JobSearch]) -> Job:
        """Release everything a search finds: POST `investigate/bulk`, 201.

        Permission: Write. `comment` as in `move_all`.
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
        """Read one page of the jobs: GET `investigate/bulk`; `action_type` is MOVE or RELEASE.

        Permission: Read.
        """
        values = {
            "action_type": action_type,
            "status": status,
            "page": page,
            "per_page": page_size(per_page),
        }
        return await self._counted(
            ApiRequest(Method.GET, "investigate/bulk", query=query(values)), Job, page, per_page
        )

    async def job(self, job_id: str) -> Job:
        """Read one job: GET `investigate/bulk/{id}`. Permission: Read."""
        return await self._one(ApiRequest(Method.GET, "investigate/bulk/{id}", (job_id,)), Job)

    async def job_messages(
        self, job_id: str, *, status: str | None = None, page: int = 1, per_page: int = 1000
    ) -> Page[JobMessage]:
        """Read one page of what a job does to each message: GET `investigate/bulk/{id}/messages`.

        Permission: Read.
        """
        values = {"status": status, "page": page, "per_page": page_size(per_page)}
        call = ApiRequest(Method.GET, "investigate/bulk/{id}/messages", (job_id,), query(values))
        return await self._counted(call, JobMessage, page, per_page)

    async def cancel_job(self, job_id: str) -> Job:
        """Stop what a job has not done yet: POST `investigate/bulk/{id}/cancel`.

        Permission: Write. Cancelling twice does no harm.
        """
        return await self._one(
            ApiRequest(Method.POST, "investigate/bulk/{id}/cancel", (job_id,), harmless=True), Job
        )

    async def delete_job(self, job_id: str) -> None:
        """Forget a job that is over: DELETE `investigate/bulk/{id}`. Permission: Write."""
        await self._connection.confirm(
            ApiRequest(Method.DELETE, "investigate/bulk/{id}", (job_id,))
        )

    async def _create(self, what: Mapping[str, Any], search: JobSearch) -> Job:
        wanted = {
            name: wire_time(value) if isinstance(value, datetime) else value
            for name, value in search.items()
            if value is not None
        }
        return await self._one(
            ApiRequest(Method.POST, "investigate/bulk", body={**what, "search_params": wanted}), Job
        )
