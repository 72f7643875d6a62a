"""Endpoints of bulk jobs, and the progress of the jobs. Source: reference §1.3, §2.7.

A job is PENDING for one step, DISCOVERING for another, then processes 100 messages a step. It has
no task of its own: every request to the simulator first advances all jobs to the current time,
including their rows in the ledger. Phish submissions are skipped.
"""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clawback.simulator import query_parameters
from clawback.simulator.account_state import AccountState
from clawback.simulator.bulk_jobs import FINAL, BulkJob, JobMessage, JobStatus
from clawback.simulator.containment_endpoints import ContainmentEndpoints, read_destination
from clawback.simulator.mailbox_store import MailboxSearch
from clawback.simulator.message_search import LABELS, as_params, build_filter
from clawback.simulator.middleware import REQUEST
from clawback.simulator.options import Shape
from clawback.simulator.responses import HOME, cursor_info, invalid, not_found, read_object, succeed

ACTIONS = ("MOVE", "RELEASE")
_MESSAGES_PER_STEP = 100
_MESSAGE_STATUSES = ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED", "SKIPPED")


class BulkJobEndpoints:
    """Bulk jobs. Each changed message has a ledger row, under the request that created the job."""

    def __init__(self, account: AccountState, containment: ContainmentEndpoints) -> None:
        self._account = account
        self._containment = containment

    def routes(self) -> list[Route]:
        home = HOME + "/investigate/bulk"
        return [
            Route(home, self.create, methods=["POST"]),
            Route(home, self.search, methods=["GET"]),
            Route(home + "/{job_id}", self.get, methods=["GET"]),
            Route(home + "/{job_id}", self.delete, methods=["DELETE"]),
            Route(home + "/{job_id}/cancel", self.cancel, methods=["POST"]),
            Route(home + "/{job_id}/messages", self.messages, methods=["GET"]),
        ]

    async def create(self, request: Request) -> Response:
        """POST a job: 201 with the job, which is PENDING."""
        body = await read_object(request)
        if body.get("action") not in ACTIONS:
            raise invalid("action must be MOVE or RELEASE", "/action")

        destination = read_destination(body) if body["action"] == "MOVE" else None
        search_params = body.get("search_params")
        if not isinstance(search_params, dict):
            raise invalid("search_params must be an object", "/search_params")

        search = self._build_search(search_params)
        comment = body.get("comment")
        job = BulkJob(
            body["action"],
            destination,
            search_params,
            search,
            comment,
            request.scope[REQUEST],
            self._account.now,
        )
        self._account.jobs[job.id] = job

        return succeed(job.to_json(), status=201)

    async def search(self, request: Request) -> Response:
        """GET the jobs, newest first, by page and with a cursor `result_info`."""
        params = request.query_params
        action = query_parameters.choice(params, "action_type", ACTIONS)
        status = query_parameters.choice(params, "status", tuple(JobStatus))
        found = [
            job
            for job in self._account.jobs.values()
            if action in (None, job.action) and status in (None, job.status)
        ]

        return self._page(request, [job.to_json() for job in reversed(found)])

    async def get(self, request: Request) -> Response:
        """GET one job."""
        return succeed(self._find(request).to_json())

    async def delete(self, request: Request) -> Response:
        """DELETE a job that has ended; otherwise 400."""
        job = self._find(request)
        if job.status not in FINAL:
            raise invalid("The job has not ended; cancel it first")
        del self._account.jobs[job.id]
        return succeed({"id": job.id})

    async def cancel(self, request: Request) -> Response:
        """POST to cancel a job and its pending messages; 400 if it has ended."""
        job = self._find(request)
        if job.status in FINAL:
            raise invalid("The job has ended")

        for message in job.messages or ():
            if message.status == "PENDING":
                message.end("CANCELLED", self._account.now)

        job.end(JobStatus.CANCELLED, self._account.now)
        return succeed(job.to_json())

    async def messages(self, request: Request) -> Response:
        """GET the messages of a job, by page and with a cursor `result_info`."""
        job = self._find(request)
        status = query_parameters.choice(request.query_params, "status", _MESSAGE_STATUSES)
        rows = [
            row.to_json(job.action, job.destination)
            for row in job.messages or ()
            if status in (None, row.status)
        ]

        return self._page(request, rows)

    def advance(self) -> None:
        """Advance every job to the current time."""
        now = self._account.now
        for job in self._account.jobs.values():
            if job.status not in FINAL:
                self._advance(job, now)

    def _advance(self, job: BulkJob, now: datetime) -> None:
        step = self._account.options.job_step
        # Without a step time, a job is done at the first look.
        steps = int((now - job.created_at).total_seconds() / step) if step else 1_000_000
        if steps >= 1 and job.started_at is None:
            job.status, job.started_at = JobStatus.DISCOVERING, now

        if steps >= 2:  # noqa: PLR2004 - the two steps before it starts
            job.status = JobStatus.PROCESSING
            self._discover(job, now)
            self._process(job, now, (steps - 2) * _MESSAGES_PER_STEP)

    def _discover(self, job: BulkJob, now: datetime) -> None:
        if job.messages is None:
            found = self._account.mailboxes.find(job.search)
            job.messages = [
                JobMessage(mail, recipient, now)
                for mail in found
                for recipient in mail.addressees or ("",)
            ]

    def _process(self, job: BulkJob, now: datetime, through: int) -> None:
        messages = job.messages or []
        for message in messages[:through]:
            if message.status == "PENDING":
                self._process_message(job, message, now)
        if through >= len(messages):
            job.end(JobStatus.COMPLETED, now)

    def _process_message(self, job: BulkJob, message: JobMessage, now: datetime) -> None:
        mail = message.mail
        if mail.submission:
            message.end("SKIPPED", now, "phish submission")
        elif job.action == "MOVE":
            problem = self._containment.move_mail(mail, str(job.destination), job.request)
            message.end("FAILED" if problem else "COMPLETED", now, problem)
        else:
            released = (
                self._containment.release_mail(mail, job.request)
                or "QUARANTINE_RELEASE" in mail.operations
            )
            message.end(
                "COMPLETED" if released else "FAILED",
                now,
                None if released else "not in quarantine",
            )

    def _build_search(self, search_params: dict[str, Any]) -> MailboxSearch:
        params = as_params(search_params)
        start, end = query_parameters.window(params, self._account.now)
        keep = build_filter(
            params,
            labels=LABELS,
            submissions=query_parameters.boolean(params, "submissions", default=False),
        )

        return MailboxSearch(start, end, keep, self._account.now)

    def _find(self, request: Request) -> BulkJob:
        if (job := self._account.jobs.get(str(request.path_params["job_id"]))) is None:
            raise not_found("No bulk job with this id")
        return job

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        page, per_page = query_parameters.paging(request.query_params)
        shown = rows[(page - 1) * per_page : page * per_page]
        lean = self._account.options.shape is Shape.LEAN
        return succeed(shown, result_info=cursor_info(len(shown), per_page, None, None, lean=lean))
