"""What pollers and the ingest activity say to each other, and the window a poll reads.

Pure: no clock, no I/O.
"""

from datetime import datetime, timedelta

from clawback.model.durations import Duration
from clawback.model.events import EventKind
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

SWEEP_EVERY = timedelta(minutes=1)
"""How often a poll reads the whole lookback again when that takes more than one page."""
OVERLAP = timedelta(minutes=1)
"""How far a poll in between reads back."""


OWED_EVERY = timedelta(seconds=10)
"""How soon events are tried again whose detections could not be fetched."""


class PollerSnapshot(Payload):
    """All a poller knows: what continue-as-new carries over.

    `cursor` is the end of the last window that was read to its end; `owed` the start of the oldest
    window in which events are still to be decided: full sweeps begin there until none is left.
    """

    cursor: UtcDatetime
    owed: UtcDatetime | None = None
    swept_at: UtcDatetime | None = None
    sweep_pages: int = 1
    drained_at: UtcDatetime | None = None
    newest: UtcDatetime | None = None
    turns: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    paused: str | None = None
    trouble: str | None = None


class PollerStart(Payload):
    """The argument of a poller workflow."""

    source: EventKind
    interval: Duration = timedelta(seconds=5)
    lookback: Duration = timedelta(minutes=15)
    start: Duration = timedelta(minutes=15)
    page_size: int = 1000
    memory: PollerSnapshot | None = None


class PollerStatus(Payload):
    """The answer to the query `status`."""

    source: EventKind
    state: str
    cursor: UtcDatetime
    owed: UtcDatetime | None = None
    drained_at: UtcDatetime | None = None
    newest: UtcDatetime | None = None
    turns: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    detail: str | None = None


class ReadPage(Payload):
    """One page to read, evaluate and dispatch: one request to the API.

    `former` is the digest of the page before it.
    """

    source: EventKind
    start: UtcDatetime
    end: UtcDatetime
    page: str | None = None
    former: str | None = None
    page_size: int = 1000
    linger: Duration = timedelta(minutes=30)


class PageRead(Payload):
    """What became of a page.

    `seen` counts records met for the first time by that worker, `page` is the next page, None at
    the end.

    `postponed` says that some events could not be decided yet, and why.
    """

    page: str | None = None
    postponed: str | None = None
    digest: str | None = None
    records: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    newest: UtcDatetime | None = None


def window_start(
    memory: PollerSnapshot, lookback: timedelta, now: datetime
) -> tuple[datetime, bool]:
    """Say where the next window starts and whether it is a full sweep.

    Every window reaches back over the lookback, for late records; where that takes several pages it
    does so once a minute, and the polls in between read back only a minute.
    """
    every = SWEEP_EVERY if memory.owed is None else OWED_EVERY
    due = memory.swept_at is None or now - memory.swept_at >= every
    if due or (memory.sweep_pages <= 1 and memory.owed is None):
        begin = memory.cursor - lookback
        return min(begin, memory.owed or begin), True
    return memory.cursor - min(lookback, OVERLAP), False
