"""The whole state of one simulated account, and the few things that touch more than one part of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clawback.simulator.bulk_job import Job
from clawback.simulator.corpus import Line
from clawback.simulator.envelopes import stamp
from clawback.simulator.faults import Dice
from clawback.simulator.ledger import Ledger, RequestLog
from clawback.simulator.mail import Mail, build
from clawback.simulator.mailbox_store import MailboxStore
from clawback.simulator.options import SimulatorOptions
from clawback.simulator.query_parameters import parse_time
from clawback.simulator.rate_limit import RateLimiter
from clawback.simulator.submissions import Review, Submission, team_submission


@dataclass(slots=True)
class Report:
    """A PhishGuard report, filtered by when it was created."""

    record: dict[str, Any]
    created_at: datetime


class AccountState:
    """What the account holds.

    Messages, reports, submissions, policies, the witnesses, the dice and the rate limit.
    """

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.mailroom = MailboxStore(options.order, options.seed)
        self.reports: list[Report] = []
        self.submissions: dict[str, Submission] = {}
        self.policies: dict[str, dict[str, dict[str, Any]]] = {}
        self.jobs: dict[str, Job] = {}
        self.ledger = Ledger()
        self.requests = RequestLog()
        self.dice = Dice(options.seed, options.faults)
        self.limiter = RateLimiter(options.rate)

    @property
    def now(self) -> datetime:
        """The time by the simulator's clock."""
        return self.options.clock()

    def take(self, lines: Iterable[Line]) -> int:
        """Take corpus lines in: messages, reports, submissions. Gives how many there were."""
        sorted_in: dict[str, list[Line]] = {"message": [], "report": [], "submission": []}
        for line in lines:
            sorted_in[line.kind].append(line)
        self.mailroom.put([self._mail(line) for line in sorted_in["message"]])
        self.reports += [self._report(line.record) for line in sorted_in["report"]]
        for line in sorted_in["submission"]:
            self.submissions[str(line.record["submission_id"])] = self._submission(line.record)
        return sum(map(len, sorted_in.values()))

    def submit(self, mail: Mail, disposition: str, kind: str, escalated: str | None) -> str:
        """Make a team submission of a message.

        Its outcome arrives later and never changes the message's own disposition.
        """
        identity = self.submit_unknown(disposition, mail)
        properties = {
            "requested_by": "api",
            "requested_disposition": disposition,
            "submission_id": identity,
            "submission_type": kind,
        }
        mail.act(self.action("SUBMISSION", **properties))
        if (former := self.submissions.get(escalated or "")) is not None:
            former.escalate(identity, disposition, self.now)
        return identity

    def submit_unknown(self, disposition: str, mail: Mail | None = None) -> str:
        """Make a team submission, of a message that may not be known here. Gives its id."""
        review = Review(self.options.verdict, timedelta(seconds=self.options.outcome_after))
        submission = team_submission(mail, disposition, self.now, review)
        identity = str(submission.record["submission_id"])
        self.submissions[identity] = submission
        return identity

    def action(self, operation: str, **properties: str | None) -> dict[str, Any]:
        """An entry of the action log (OpenAPI `ActionEntry`) that began and ended now."""
        at = stamp(self.now)
        known = {name: value for name, value in properties.items() if value is not None}
        return {
            "operation": operation,
            "started_at": at,
            "completed_at": at,
            "status": "completed",
            "success": True,
            "properties": known,
        }

    def forget(self, age: timedelta, requests: int) -> None:
        """Forget mail, reports and submissions older than that, and all but the last so many requests; the ledger stays whole."""
        before = self.now - age
        self.mailroom.forget(before)
        self.reports = [report for report in self.reports if report.created_at >= before]
        self.submissions = {
            identity: kept
            for identity, kept in self.submissions.items()
            if kept.requested_at >= before
        }
        self.requests.keep(requests)

    def reset(self) -> None:
        """Empty the account and both witnesses.

        Faults, dice and the rate limit are as at the start again.
        """
        self.mailroom.clear()
        self.reports.clear()
        self.submissions.clear()
        self.policies.clear()
        self.jobs.clear()
        self.ledger.rows.clear()
        self.requests.clear()
        self.dice.reset(self.options.faults)
        self.limiter.change(self.options.rate)

    def _mail(self, line: Line) -> Mail:
        now = self.now
        mail = build(line.record, line.detections, now, self.options.shape)
        mail.visible_at = now + timedelta(seconds=self.dice.lateness(mail.id))
        return mail

    def _report(self, record: dict[str, Any]) -> Report:
        created = parse_time(record.get("created_at")) or parse_time(record.get("ts")) or self.now
        return Report(
            {"created_at": stamp(created), "updated_at": stamp(created)} | record, created
        )

    def _submission(self, record: dict[str, Any]) -> Submission:
        requested = (
            parse_time(record.get("requested_at"))
            or parse_time(record.get("requested_ts"))
            or self.now
        )
        return Submission({"requested_at": stamp(requested)} | record, requested)
