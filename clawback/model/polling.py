"""Payloads of pollers and of the ingest activity. How a poller chooses windows: `poll_windows`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from clawback.model.durations import Duration, format_duration
from clawback.model.events import EventKind
from clawback.model.payload import Payload
from clawback.model.time_ranges import TimeRange, TimeRanges, total_length
from clawback.model.times import UtcDatetime


class Lane(StrEnum):
    """The coroutines of a poller: fresh mail, and beside it what would hold that up."""

    LIVE = "live"
    OVERFLOW = "overflow"
    """What the live lane read, with more matches than it had time to send."""
    BACKFILL = "backfill"
    """All else: a backlog, the lookback, the sweep."""


class Reason(StrEnum):
    """Why a window is read."""

    LIVE = "live"
    OVERFLOW = "overflow"
    """Read by the live lane, but not all of its matches were sent."""
    LATE = "late"
    """Read again for records that the API indexed late."""
    BACKLOG = "backlog"
    """Not read yet, or read with events that could not be decided."""
    SWEEP = "sweep"
    """Read again for verdicts and reports that changed."""


class Window(Payload):
    """A window that is being read: its range, and how far its pages are read.

    `is_full` says that a live window covers the whole lookback. `request` is the number of the
    request (`poll now`) that a live window answers. `detections_only` is decided with the first
    page, because a page token belongs to its search. `has_unsent` says that matches of a live
    window are left to the overflow lane.
    """

    range: TimeRange
    reason: Reason
    started_at: UtcDatetime
    is_full: bool = False
    request: int = 0
    page: str | None = None
    digest: str | None = None
    pages: int = 0
    records: int = 0
    has_postponed: bool = False
    has_unsent: bool = False
    detections_only: bool | None = None


class PollerSnapshot(Payload):
    """The state of a poller: what continue-as-new carries over, and a new run inherits.

    `checked_to` carries the guarantee: every record up to it has been read, or its time is in one
    of the lists, except records that became visible later than the lookback allows.

    cursor          end of the last live window that was read completely
    next_check_at   when the lookback may be read again; None: with the next live window
    lookback_pages  about how many pages the lookback has; None if unknown
    span            length of the next window of the backfill lane
    worker          the task queue of the worker that reads all pages, as long as it can
    pace            how many seconds of backlog were read per second, lately
    orders          orders of people that were counted lately (see `OrderLog`)
    """

    cursor: UtcDatetime
    checked_to: UtcDatetime
    backlog: TimeRanges = ()
    late: TimeRanges = ()
    sweep: TimeRanges = ()
    unsent: TimeRanges = ()
    owed: TimeRanges = ()
    owed_at: UtcDatetime | None = None
    owed_wait: Duration = timedelta(seconds=10)
    live: Window | None = None
    overflow: Window | None = None
    backfill: Window | None = None
    last_reason: Reason = Reason.LIVE
    next_check_at: UtcDatetime | None = None
    lookback_pages: int | None = None
    span: Duration = timedelta(minutes=15)
    swept_at: UtcDatetime | None = None
    worker: str | None = None
    pace: float | None = None
    is_detections_only: bool | None = None
    requested: int = 0
    completed: int = 0
    drained_at: UtcDatetime | None = None
    newest: UtcDatetime | None = None
    turns: int = 0
    pages: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    set_aside: int = 0
    paused: str | None = None
    troubles: Mapping[Lane, str] = {}
    orders: Mapping[str, UtcDatetime] = {}

    @property
    def problem(self) -> str | None:
        """Why one of the lanes cannot read; None if all can."""
        return next((self.troubles[one] for one in Lane if one in self.troubles), None)

    @property
    def overflowing(self) -> TimeRanges:
        """What the overflow lane reads, or will read: fresh mail whose matches are not all sent."""
        reading = (self.overflow.range,) if self.overflow else ()
        return (*reading, *self.unsent)

    @property
    def unread(self) -> TimeRanges:
        """What is backlog: waiting, being read, not sent, or to be tried again."""
        window = self.backfill
        reading = (window.range,) if window and window.reason is Reason.BACKLOG else ()
        return (*self.overflowing, *reading, *self.backlog, *self.owed)

    @property
    def backlog_length(self) -> timedelta:
        """How much time the backlog covers."""
        return total_length(self.unread)

    @property
    def rereading(self) -> timedelta:
        """How much time of the lookback and of the sweep is being read again, or will be."""
        window = self.backfill
        is_again = window is not None and window.reason is not Reason.BACKLOG
        reading: TimeRanges = (window.range,) if window is not None and is_again else ()
        return total_length((*reading, *self.late, *self.sweep))

    def status(self, source: EventKind, now: datetime) -> "PollerStatus":
        """What people see of the poller of a source."""
        state = "polling"
        if self.paused is not None:
            state = "paused"
        elif self.problem is not None:
            state = "degraded"

        backlog = self.backlog_length
        left = backlog / self.pace if self.pace else None
        return PollerStatus(
            source=source,
            state=state,
            cursor=self.cursor,
            checked_to=self.checked_to,
            backlog=backlog,
            backlog_from=min((one.start for one in self.unread), default=None),
            backlog_until=now + left if backlog and left is not None else None,
            unsent=total_length(self.overflowing),
            rereading=self.rereading,
            drained_at=self.drained_at,
            newest=self.newest,
            swept_at=self.swept_at,
            detections_only=self.is_detections_only,
            worker=self.worker,
            requested=self.requested,
            completed=self.completed,
            turns=self.turns,
            pages=self.pages,
            seen=self.seen,
            matched=self.matched,
            rejected=self.rejected,
            set_aside=self.set_aside,
            detail=self.paused or self.problem or self._describe_unsent(),
        )

    def _describe_unsent(self) -> str | None:
        if not self.overflowing:
            return None
        length = format_duration(total_length(self.overflowing))
        return f"matches of {length} of mail are still being sent to their cases"


class PollerStart(Payload):
    """The argument of a poller workflow. `sweep_interval` None turns the sweep off."""

    source: EventKind
    interval: Duration = timedelta(seconds=5)
    lookback: Duration = timedelta(minutes=15)
    start: Duration = timedelta(minutes=15)
    page_size: int = 1000
    sweep_interval: Duration | None = timedelta(hours=6)
    sweep_lookback: Duration = timedelta(hours=72)
    memory: PollerSnapshot | None = None


class PollerStatus(Payload):
    """The answer to the query `status`.

    `checked_to` says up to when the lookback was read again, or is given to the backfill lane.
    `backlog` is how much time is left to read beside the live lane, `backlog_from` where it begins,
    `backlog_until` when it will be read at the present pace. `unsent` is the part of the backlog
    that was read, but had more matches than the live lane could send in time. `rereading` is how
    much of the lookback and of the sweep is being read again.
    """

    source: EventKind
    state: str
    cursor: UtcDatetime
    checked_to: UtcDatetime | None = None
    backlog: Duration = timedelta()
    backlog_from: UtcDatetime | None = None
    backlog_until: UtcDatetime | None = None
    unsent: Duration = timedelta()
    rereading: Duration = timedelta()
    drained_at: UtcDatetime | None = None
    newest: UtcDatetime | None = None
    swept_at: UtcDatetime | None = None
    detections_only: bool | None = None
    worker: str | None = None
    requested: int = 0
    completed: int = 0
    turns: int = 0
    pages: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    set_aside: int = 0
    detail: str | None = None

    def has_read(self, time: datetime) -> bool:
        """Whether all mail up to a time was read, and late records of the lookback too."""
        is_checked = self.checked_to is not None and self.checked_to >= time
        return is_checked and not self.backlog and not self.rereading


class ReadPage(Payload):
    """One page to read, evaluate and dispatch. `former` is the digest of the page before it.

    `detections_only` None leaves the choice to the rules that are loaded. `is_sweep` says that the
    mail is older than cases stay open. `read_to` is up to when this time was read before: for
    measuring. `patience` is how long this may take before the matches that
    are left are reported as `unsent`. `backlog` is only for the metric.
    """

    source: EventKind
    start: UtcDatetime
    end: UtcDatetime
    lane: Lane = Lane.LIVE
    page: str | None = None
    former: str | None = None
    page_size: int = 1000
    detections_only: bool | None = None
    is_sweep: bool = False
    read_to: UtcDatetime | None = None
    linger: Duration = timedelta(minutes=30)
    patience: Duration = timedelta(minutes=1)
    backlog: Duration = timedelta()


class WatchPage(Payload):
    """The first page of the newest window, to read every `interval` until something is new.

    The first time is after one interval, `patience` is how long all may take. Each time the window
    ends later.
    """

    page: ReadPage
    interval: Duration
    patience: Duration


class PageRead(Payload):
    """What became of a page.

    `seen` counts records that are new to this worker. `page` is the next page, None at the end.
    `postponed` says why some events could not be decided yet. `unsent` counts the matches that were
    left when time was up: who reads the page again sends them. `end` is the end of the window where
    that is later than the request says. `unseen`, with the last page, is the time that could not be
    read whole.
    """

    end: UtcDatetime | None = None
    page: str | None = None
    postponed: str | None = None
    digest: str | None = None
    records: int = 0
    seen: int = 0
    matched: int = 0
    unsent: int = 0
    rejected: int = 0
    set_aside: int = 0
    newest: UtcDatetime | None = None
    detections_only: bool | None = None
    unseen: TimeRanges = ()

    @property
    def is_quiet(self) -> bool:
        """Whether the page was the only one, and nothing on it has to be recorded."""
        is_whole = self.page is None and self.postponed is None and not self.unsent
        is_whole = is_whole and not self.unseen
        return is_whole and not (self.seen or self.matched or self.rejected or self.set_aside)
