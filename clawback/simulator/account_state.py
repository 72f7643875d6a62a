"""The state of the simulated account, and the changes that touch more than one part of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clawback.simulator.bulk_jobs import BulkJob
from clawback.simulator.corpus import Line
from clawback.simulator.faults import FaultSampler
from clawback.simulator.ledger import Ledger, RequestLog
from clawback.simulator.mail import Mail, build_mail
from clawback.simulator.mailbox_store import MailboxStore
from clawback.simulator.options import SimulatorOptions
from clawback.simulator.query_parameters import parse_time
from clawback.simulator.rate_limit import RateLimiter
from clawback.simulator.responses import format_time
from clawback.simulator.submissions import Review, Submission, build_team_submission


@dataclass(slots=True)
class Report:
    """A PhishGuard report. Lists filter by `created_at`."""

    record: dict[str, Any]
    created_at: datetime


class AccountState:
    """Messages, reports, submissions, policies and jobs; ledger and request log; faults; limit."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.mailboxes = MailboxStore(options.order, options.seed)
        self.reports: list[Report] = []
        self.submissions: dict[str, Submission] = {}
        self.policies: dict[str, dict[str, dict[str, Any]]] = {}
        self.jobs: dict[str, BulkJob] = {}
        self.ledger = Ledger()
        self.requests = RequestLog()
        self.faults = FaultSampler(options.seed, options.faults)
        self.limiter = RateLimiter(options.rate)

    @property
    def now(self) -> datetime:
        """The time by the simulator's clock."""
        return self.options.clock()

    def add(self, lines: Iterable[Line]) -> int:
        """Add messages, reports and submissions. Returns how many."""
        by_kind: dict[str, list[Line]] = {"message": [], "report": [], "submission": []}
        for line in lines:
            by_kind[line.kind].append(line)

        self.mailboxes.put([self._build_mail(line) for line in by_kind["message"]])
        self.reports += [self._build_report(line.record) for line in by_kind["report"]]
        for line in by_kind["submission"]:
            submission_id = str(line.record["submission_id"])
            self.submissions[submission_id] = self._build_submission(line.record)

        return sum(map(len, by_kind.values()))

    def submit(self, mail: Mail, disposition: str, kind: str, escalated: str | None) -> str:
        """Add a team submission of a message. Returns its id.

        Its outcome arrives later and never changes the message's own disposition.
        """
        submission_id = self.submit_unknown(disposition, mail)
        action = self.build_action(
            "SUBMISSION",
            requested_by="api",
            requested_disposition=disposition,
            submission_id=submission_id,
            submission_type=kind,
        )
        mail.log(action)
        if (user_submission := self.submissions.get(escalated or "")) is not None:
            user_submission.escalate(submission_id, disposition, self.now)

        return submission_id

    def submit_unknown(self, disposition: str, mail: Mail | None = None) -> str:
        """Add a team submission of a message that may be unknown. Returns its id."""
        review = Review(self.options.verdict, timedelta(seconds=self.options.outcome_after))
        submission = build_team_submission(mail, disposition, self.now, review)
        submission_id = str(submission.record["submission_id"])
        self.submissions[submission_id] = submission
        return submission_id

    def build_action(self, operation: str, **properties: str | None) -> dict[str, Any]:
        """Build an entry of the action log (OpenAPI `ActionEntry`) that started and ended now."""
        at = format_time(self.now)
        known = {name: value for name, value in properties.items() if value is not None}
        return {
            "operation": operation,
            "started_at": at,
            "completed_at": at,
            "status": "completed",
            "success": True,
            "properties": known,
        }

    def expire(self, age: timedelta, max_requests: int) -> None:
        """Drop mail, reports and submissions older than `age`, and old requests.

        The ledger stays complete.
        """
        before = self.now - age
        self.mailboxes.expire(before)
        self.reports = [report for report in self.reports if report.created_at >= before]
        self.submissions = {
            submission_id: submission
            for submission_id, submission in self.submissions.items()
            if submission.requested_at >= before
        }
        self.requests.truncate(max_requests)

    def reset(self) -> None:
        """Empty the account, the ledger and the request log; restore faults and rate limit."""
        self.mailboxes.clear()
        self.reports.clear()
        self.submissions.clear()
        self.policies.clear()
        self.jobs.clear()
        self.ledger.rows.clear()
        self.requests.clear()
        self.faults.reset(self.options.faults)
        self.limiter.change(self.options.rate)

    def _build_mail(self, line: Line) -> Mail:
        now = self.now
        mail = build_mail(line.record, line.detections, now, self.options.shape)
        mail.visible_at = now + timedelta(seconds=self.faults.lateness(mail.id))
        return mail

    def _build_report(self, record: dict[str, Any]) -> Report:
        created = parse_time(record.get("created_at")) or parse_time(record.get("ts")) or self.now
        times = {"created_at": format_time(created), "updated_at": format_time(created)}
        return Report(times | record, created)

    def _build_submission(self, record: dict[str, Any]) -> Submission:
        requested = (
            parse_time(record.get("requested_at"))
            or parse_time(record.get("requested_ts"))
            or self.now
        )
        return Submission({"requested_at": format_time(requested)} | record, requested)
