"""What became of the records of one page."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clawback.cases import CasePlan, Match
from clawback.cloudflare import errors
from clawback.model.events import Event
from clawback.model.texts import bounded
from clawback.model.time_ranges import TimeRanges

_LONGEST_RAW = 4000


@dataclass(frozen=True)
class Rejection:
    """A record that could not be understood: its JSON (bounded), why, and a hash of the JSON."""

    raw: str
    reason: str
    digest: str

    @classmethod
    def of(cls, raw: object, reason: str) -> "Rejection":
        """Reject a record for a reason."""
        text = json.dumps(raw, ensure_ascii=False, default=str)
        return cls(
            raw=bounded(text, _LONGEST_RAW),
            reason=bounded(reason),
            digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16],
        )


@dataclass
class IngestResult:
    """What became of one page.

    page        token of the next page; None at the end
    digest      equal for two pages with the same events in the same order
    records     number of records on the page, rejected ones included
    fresh       events that this process had not seen
    incomplete  events that need further requests (`Ingest.complete`)
    skipped     events that no rule may act on, each with the reason
    unjoined    reports and submissions whose message was not found
    rejected    records that could not be understood
    matches     plan and matches of each case, by case id
    postponed   why some events could not be decided: read the window again; only they are redone
    assessed    keys of the decided events, each with the fingerprint that it was decided by (None:
                its evaluation failed, and is tried again)
    newest      time of the newest event
    read_to     up to when the time of the page was read before, None if it was not
    unseen      with the last page: the time that could not be read whole
    detections_only  whether clean mail was left out
    fetched     how long the request took
    evaluated   how long joining and evaluating took
    """

    page: str | None = None
    digest: str | None = None
    records: int = 0
    fresh: list[Event] = field(default_factory=list)
    incomplete: list[Event] = field(default_factory=list)
    skipped: list[tuple[Event, str]] = field(default_factory=list)
    unjoined: list[Event] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    matches: dict[str, tuple[CasePlan, list[Match]]] = field(default_factory=dict)
    postponed: errors.ApiError | None = None
    assessed: list[tuple[str, int | None]] = field(default_factory=list)
    newest: datetime | None = None
    detections_only: bool = False
    read_to: datetime | None = None
    unseen: TimeRanges = ()
    fetched: timedelta = timedelta()
    evaluated: timedelta = timedelta()
