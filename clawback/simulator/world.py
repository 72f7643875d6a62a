"""The whole state of one simulated account, and the few things that touch more than one part of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from clawback.simulator.corpus import Line
from clawback.simulator.faults import Dice
from clawback.simulator.ledger import Ledger, RequestLog
from clawback.simulator.limits import RateLimiter
from clawback.simulator.mail import Mail, build
from clawback.simulator.mailroom import Mailroom
from clawback.simulator.options import SimulatorOptions
from clawback.simulator.query import parse_time
from clawback.simulator.wire import stamp

_SIX_LABELS = {label: label for label in ("MALICIOUS", "SUSPICIOUS", "SPOOF", "SPAM", "BULK", "NONE")} | {"MALICIOUS-BEC": "MALICIOUS"}


@dataclass(slots=True)
class Submission:
    """A submission and what will become of it: the outcome is in the record only from `outcome_at` on."""

    record: dict[str, Any]
    requested_at: datetime
    outcome: Mapping[str, Any] = field(default_factory=dict)
    outcome_at: datetime | None = None

    def seen(self, now: datetime) -> dict[str, Any]:
        """The record as it reads now."""
        due = self.outcome_at is not None and self.outcome_at <= now
        return {**self.record, **self.outcome} if due else self.record


@dataclass(slots=True)
class Report:
    """A PhishGuard report, filtered by when it was created."""

    record: dict[str, Any]
    created_at: datetime


class World:
    """What the account holds: messages, reports, submissions, policies, the witnesses, the dice and the rate limit."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.mailroom = Mailroom(options.order, options.seed)
        self.reports: list[Report] = []
        self.submissions: dict[str, Submission] = {}
        self.policies: dict[str, dict[str, dict[str, Any]]] = {}
        self.jobs: dict[str, Any] = {}
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
        """Make a team submission of a message; its outcome arrives later and never changes the message's own disposition."""
        now, identity = self.now, str(uuid4())
        original = _SIX_LABELS.get(mail.disposition or "")
        record = {
            "submission_id": identity,
            "requested_at": stamp(now),
            "requested_by": "api",
            "requested_disposition": disposition,
            "original_disposition": original,
            "outcome": None,
            "outcome_disposition": None,
            "status": "submitted",
            "subject": _subject(mail),
            "type": "Team",
            "customer_status": "unreviewed",
            "escalated_submission_id": None,
            "original_postfix_id": mail.postfix_id,
            "original_edf_hash": mail.edf_hash,
        }
        outcome = {"status": "completed", "outcome": "accepted", "outcome_disposition": disposition, "customer_status": "reviewed"}
        self.submissions[identity] = Submission(record, now, outcome, now + timedelta(seconds=self.options.outcome_after))
        properties = {"requested_by": "api", "requested_disposition": disposition, "submission_id": identity, "submission_type": kind}
        mail.act(self.action("SUBMISSION", **properties))
        if escalated is not None:
            self._escalate(escalated, identity, disposition)
        return identity

    def action(self, operation: str, **properties: str | None) -> dict[str, Any]:
        """An entry of the action log (OpenAPI `ActionEntry`) that began and ended now."""
        at = stamp(self.now)
        known = {name: value for name, value in properties.items() if value is not None}
        return {"operation": operation, "started_at": at, "completed_at": at, "status": "completed", "success": True, "properties": known}

    def reset(self) -> None:
        """Empty the account and both witnesses; faults, dice and the rate limit are as at the start again."""
        self.mailroom.clear()
        self.reports.clear()
        self.submissions.clear()
        self.policies.clear()
        self.jobs.clear()
        self.ledger.rows.clear()
        self.requests.asked.clear()
        self.dice.reset(self.options.faults)
        self.limiter.change(self.options.rate)

    def _mail(self, line: Line) -> Mail:
        now = self.now
        mail = build(line.record, line.detections, now, self.options.shape)
        mail.visible_at = now + timedelta(seconds=self.dice.lateness(mail.id))
        return mail

    def _report(self, record: dict[str, Any]) -> Report:
        created = parse_time(record.get("created_at")) or parse_time(record.get("ts")) or self.now
        return Report({"created_at": stamp(created), "updated_at": stamp(created)} | record, created)

    def _submission(self, record: dict[str, Any]) -> Submission:
        requested = parse_time(record.get("requested_at")) or parse_time(record.get("requested_ts")) or self.now
        return Submission({"requested_at": stamp(requested)} | record, requested)

    def _escalate(self, former: str, identity: str, disposition: str) -> None:
        if (escalated := self.submissions.get(former)) is not None:
            added = {
                "escalated_submission_id": identity,
                "escalated_at": stamp(self.now),
                "escalated_as": disposition,
                "escalated_by": "api",
            }
            escalated.record = escalated.record | added | {"customer_status": "escalated"}


def _subject(mail: Mail) -> str | None:
    subject = json.loads(mail.record).get("subject")
    return subject if isinstance(subject, str) else None
