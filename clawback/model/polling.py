"""Payloads of pollers and of the ingest activity, and the window that a poll reads. Pure."""

from datetime import datetime, timedelta

from clawback.model.durations import Duration
from clawback.model.events import EventKind
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

SWEEP_EVERY = timedelta(minutes=1)
"""How often a poll reads the whole lookback again if that takes more than one page."""
OVERLAP = timedelta(minutes=1)
"""How far the polls in between read back."""
OWED_EVERY = timedelta(seconds=10)
"""How soon postponed events are tried again."""


class PollerSnapshot(Payload):
    """The state of a poller: what continue-as-new carries over.

    `cursor` is the end of the last window that was read completely. `owed` is the start of the
    oldest window with postponed events: full sweeps start there until none is left.
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
    set_aside: int = 0
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
    set_aside: int = 0
    detail: str | None = None


class ReadPage(Payload):
    """One page to read, evaluate and dispatch. `former` is the digest of the page before it."""

    source: EventKind
    start: UtcDatetime
    end: UtcDatetime
    page: str | None = None
    former: str | None = None
    page_size: int = 1000
    linger: Duration = timedelta(minutes=30)


class PageRead(Payload):
    """What became of a page.

    `seen` counts records that are new to this worker. `page` is the next page, None at the end.
    `postponed` says why some events could not be decided yet.
    """

    page: str | None = None
    postponed: str | None = None
    digest: str | None = None
    records: int = 0
    seen: int = 0
    matched: int = 0
    rejected: int = 0
    set_aside: int = 0
    newest: UtcDatetime | None = None


def window_start(
    memory: PollerSnapshot, lookback: timedelta, now: datetime
) -> tuple[datetime, bool]:
    """Return where the next window starts, and whether it is a full sweep.

    A full sweep reads back over the whole lookback, for late records. If that takes several pages,
    it happens once a minute, and the polls in between read back one minute only.
    """
    every = SWEEP_EVERY if memory.owed is None else OWED_EVERY
    due = memory.swept_at is None or now - memory.swept_at >= every
    if due or (memory.sweep_pages <= 1 and memory.owed is None):
        begin = memory.cursor - lookback
        return min(begin, memory.owed or begin), True
    return memory.cursor - min(lookback, OVERLAP), False
