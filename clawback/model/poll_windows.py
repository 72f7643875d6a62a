"""Which windows a poller reads, and what it still has to read. Pure: the time is an argument.

The live lane reads the newest window first, so fresh mail never waits. It is for speed alone.
That nothing is missed follows from `checked_to`: once a minute, and after any outage, the time from
`checked_to` minus the lookback until now is given to the backfill lane, or read at once if it is
short. So a record that becomes visible within the lookback is read, whatever happened in between.
"""

from datetime import datetime, timedelta

from clawback.model.poll_pace import BACKFILL_SPAN, estimate_pages, measure_pace, next_span
from clawback.model.polling import (
    Lane,
    PageRead,
    PollerSnapshot,
    PollerStart,
    ReadPage,
    Reason,
    Window,
)
from clawback.model.time_ranges import TimeRange, TimeRanges, add_range, take_first

CHECK_INTERVAL = timedelta(minutes=1)
"""How often the lookback is read again if it takes more than one page."""
LIVE_OVERLAP = timedelta(seconds=15)
"""How far a live window reads back before the end of the last one."""
LIVE_SPAN = timedelta(minutes=1)
"""The longest live window that is not a full one: an outage leaves the rest to the other lane."""
LONGEST_WATCH = timedelta(minutes=3)
"""The longest time for which polls of a quiet source leave no trace in the poller."""
LIVE_PATIENCE = timedelta(seconds=8)
"""How long the live lane sends the matches of a window. The overflow lane sends what is left."""
LIVE_READING = timedelta(seconds=20)
"""How long the live lane reads on in a window whose matches it cannot send."""
PATIENCE = timedelta(minutes=1)
"""How long the other lanes send the matches of a page, before they read it again and go on."""
LIVE_PAGES = 3
"""A lookback of more pages is read by the backfill lane."""
OWED_WAIT = timedelta(seconds=10)
"""How soon a window with postponed events is read again. Doubles while that does not help."""
LONGEST_OWED_WAIT = timedelta(minutes=2)
MOST_PAGES = 1_000
"""Pages of one window, a million records: after that, cursors lead in a circle."""
UNSEEN = "the API gives full pages for single seconds, and names no next page"
_LINGER_MARGIN = timedelta(minutes=15)
"""A case stays open for longer than any poll reads back, so a late match joins it."""


def first_snapshot(start: PollerStart, now: datetime) -> PollerSnapshot:
    """Return the state of a poller that inherits none: everything since `start` is backlog."""
    begin = TimeRange(start=now - start.start, end=now)
    return PollerSnapshot(
        cursor=now,
        checked_to=now,
        backlog=add_range((), begin),
        next_check_at=now + CHECK_INTERVAL,
    )


def request_poll(memory: PollerSnapshot) -> PollerSnapshot:
    """Ask for a poll that starts after now and reads the lookback too."""
    return _update(memory, requested=memory.requested + 1, next_check_at=None)


def rewind(memory: PollerSnapshot, to: datetime, now: datetime) -> PollerSnapshot:
    """Read everything since a point in time again, beside fresh mail."""
    return _update(memory, backlog=add_range(memory.backlog, TimeRange(start=to, end=now)))


# ---- the live lane


def begin_live(memory: PollerSnapshot, start: PollerStart, now: datetime) -> PollerSnapshot:
    """Choose the next live window, or continue the one that is being read.

    Where the lookback is due and too long for the live lane, the backfill lane gets it.
    """
    patience = CHECK_INTERVAL + 2 * start.interval
    # An older window is given up for a fresh one. What it has not read is not lost: it lies after
    # `checked_to`, or in one of the lists.
    if memory.live is not None and now - memory.live.range.end <= patience:
        return memory

    is_due = memory.next_check_at is None or now >= memory.next_check_at
    is_behind = now - memory.checked_to > patience
    if is_due and not is_behind and _is_short(memory) and not memory.overflowing:
        return _open_live(memory, memory.checked_to - start.lookback, now, is_full=True)
    if is_due or is_behind:
        memory = _leave_lookback(memory, start, now, is_behind=is_behind)

    begin = max(memory.cursor - LIVE_OVERLAP, now - LIVE_SPAN)
    # What the overflow lane reads, and all before it, waits for that lane or for the lookback.
    return _open_live(memory, max([begin, *(one.end for one in memory.overflowing)]), now)


def is_watched(memory: PollerSnapshot, start: PollerStart) -> bool:
    """Whether the next window is read again and again while nothing is new.

    Not if somebody waits for it, if the lane is in trouble, or if polls are rare anyway.
    """
    is_asked = memory.requested > memory.completed
    is_reading = memory.drained_at is not None and Lane.LIVE not in memory.troubles
    return is_reading and not is_asked and start.interval <= LONGEST_WATCH


def watch_patience(memory: PollerSnapshot, start: PollerStart, now: datetime) -> timedelta:
    """Give how long a window may be watched: what is due earlier ends it, after one poll."""
    until_check = LONGEST_WATCH if memory.next_check_at is None else memory.next_check_at - now
    return max(min(until_check, LONGEST_WATCH), start.interval)


def drop_live(memory: PollerSnapshot) -> PollerSnapshot:
    """Give up the live window: a newer one is wanted, or none."""
    return _update(memory, live=None)


def _is_short(memory: PollerSnapshot) -> bool:
    return memory.lookback_pages is not None and memory.lookback_pages <= LIVE_PAGES


def _leave_lookback(
    memory: PollerSnapshot, start: PollerStart, now: datetime, *, is_behind: bool
) -> PollerSnapshot:
    """Give the time since the last check, and the lookback before it, to the backfill lane."""
    begin = memory.checked_to
    # After an outage nothing since `begin` was read: that part is backlog, not only late records.
    late = TimeRange(start=begin - start.lookback, end=begin if is_behind else now)
    backlog = TimeRange(start=begin, end=now if is_behind else begin)

    return _update(
        memory,
        late=add_range(memory.late, late),
        backlog=add_range(memory.backlog, backlog),
        checked_to=now,
        next_check_at=now + CHECK_INTERVAL,
    )


def _open_live(
    memory: PollerSnapshot, begin: datetime, now: datetime, *, is_full: bool = False
) -> PollerSnapshot:
    window = Window(
        range=TimeRange(start=min(begin, now), end=now),
        reason=Reason.LIVE,
        started_at=now,
        is_full=is_full,
        request=memory.requested,
    )
    return _update(memory, live=window)


def _finish_live(
    memory: PollerSnapshot, start: PollerStart, window: Window, now: datetime
) -> PollerSnapshot:
    if window.is_full:
        # One page costs no more than a short window: then every window covers the lookback.
        is_cheap = window.pages <= 1 and not window.has_unsent
        memory = _update(
            memory,
            checked_to=max(memory.checked_to, window.range.end),
            next_check_at=None if is_cheap else now + CHECK_INTERVAL,
        )
    if window.has_unsent:
        memory = _update(memory, unsent=add_range(memory.unsent, window.range))

    return _update(
        memory,
        cursor=max(memory.cursor, window.range.end),
        lookback_pages=window.pages if window.is_full else estimate_pages(window, start),
        drained_at=now,
        turns=memory.turns + 1,
        completed=window.request,
        live=None,
    )


# ---- the overflow lane


def begin_overflow(memory: PollerSnapshot, now: datetime) -> PollerSnapshot:
    """Choose the next window of the overflow lane, the oldest first."""
    if memory.overflow is not None or not memory.unsent:
        return memory

    taken, left = take_first(memory.unsent, BACKFILL_SPAN)
    window = Window(range=taken, reason=Reason.OVERFLOW, started_at=now)
    return _update(memory, unsent=left, overflow=window)


# ---- the backfill lane


def begin_backfill(memory: PollerSnapshot, start: PollerStart, now: datetime) -> PollerSnapshot:
    """Choose the next window of the backfill lane; `backfill` stays None if there is nothing to do.

    Late records and the backlog take turns, the oldest first; the sweep comes last.
    """
    if memory.backfill is not None:
        return memory

    memory = _schedule_sweep(_retry_owed(memory, now), start, now)
    if memory.late and not (memory.backlog and memory.last_reason is Reason.LATE):
        taken, left = take_first(memory.late, memory.span)
        return _open_backfill(_update(memory, late=left), taken, Reason.LATE, now)
    if memory.backlog:
        taken, left = take_first(memory.backlog, memory.span)
        return _open_backfill(_update(memory, backlog=left), taken, Reason.BACKLOG, now)
    if memory.sweep:
        taken, left = take_first(memory.sweep, memory.span)
        return _open_backfill(_update(memory, sweep=left), taken, Reason.SWEEP, now)

    return memory


def is_backfill_due(memory: PollerSnapshot, start: PollerStart, now: datetime) -> bool:
    """Whether the backfill lane has something to read."""
    return begin_backfill(memory, start, now).backfill is not None


def _open_backfill(
    memory: PollerSnapshot, taken: TimeRange, reason: Reason, now: datetime
) -> PollerSnapshot:
    is_sweep = reason is Reason.SWEEP or None
    window = Window(range=taken, reason=reason, started_at=now, detections_only=is_sweep)
    return _update(memory, backfill=window, last_reason=reason)


def _retry_owed(memory: PollerSnapshot, now: datetime) -> PollerSnapshot:
    if not memory.owed or (memory.owed_at is not None and now < memory.owed_at):
        return memory

    backlog = memory.backlog
    for one in memory.owed:
        backlog = add_range(backlog, one)

    wait = min(2 * memory.owed_wait, LONGEST_OWED_WAIT)
    return _update(memory, backlog=backlog, owed=(), owed_at=None, owed_wait=wait)


def _schedule_sweep(memory: PollerSnapshot, start: PollerStart, now: datetime) -> PollerSnapshot:
    if start.sweep_interval is None:
        return memory
    if memory.swept_at is None:
        return _update(memory, swept_at=now)
    if memory.sweep or now - memory.swept_at < start.sweep_interval:
        return memory

    found = TimeRange(start=now - start.sweep_lookback, end=now - start.lookback)
    return _update(memory, sweep=add_range((), found), swept_at=now)


def _finish_backfill(
    memory: PollerSnapshot, start: PollerStart, window: Window, now: datetime
) -> PollerSnapshot:
    span = next_span(memory.span, window, start.page_size)
    memory = _update(memory, backfill=None, span=span)
    if window.reason is not Reason.BACKLOG:
        return memory
    is_done = not memory.backlog and not memory.owed
    pace = None if is_done else measure_pace(memory.pace, window, now)
    return _update(memory, pace=pace, owed_wait=OWED_WAIT if is_done else memory.owed_wait)


# ---- pages of any lane


def window_of(memory: PollerSnapshot, lane: Lane) -> Window | None:
    """Return the window that a lane is reading."""
    windows = {Lane.LIVE: memory.live, Lane.OVERFLOW: memory.overflow}
    return windows.get(lane, memory.backfill)


def next_page(memory: PollerSnapshot, start: PollerStart, lane: Lane, now: datetime) -> ReadPage:
    """Return the next page to read of the window of a lane."""
    window = window_of(memory, lane)
    if window is None:
        raise ValueError(f"the {lane} lane reads no window")

    return ReadPage(
        source=start.source,
        start=window.range.start,
        end=window.range.end,
        lane=lane,
        page=window.page,
        former=window.digest,
        page_size=start.page_size,
        detections_only=window.detections_only,
        is_sweep=window.reason is Reason.SWEEP,
        read_to=_read_to(memory, window),
        linger=start.lookback + _LINGER_MARGIN,
        patience=_patience(lane, window, now),
        backlog=memory.backlog_length,
    )


def _read_to(memory: PollerSnapshot, window: Window) -> datetime | None:
    """Up to when the time of a window was read before."""
    if window.reason in {Reason.LATE, Reason.SWEEP}:
        return window.range.end
    return memory.cursor if window.reason is Reason.LIVE else None


def _patience(lane: Lane, window: Window, now: datetime) -> timedelta:
    if lane is not Lane.LIVE:
        return PATIENCE
    if not window.pages:
        return LIVE_PATIENCE
    # All pages of the window share it. The window ends when its first page was read.
    return max(LIVE_PATIENCE - (now - window.range.end), timedelta())


def record_page(
    memory: PollerSnapshot, start: PollerStart, lane: Lane, read: PageRead, now: datetime
) -> PollerSnapshot:
    """Record a page that was read and dispatched; the last page of a window finishes it.

    Matches that were left unsent belong to the overflow lane if the live lane read them. The other
    lanes read the page again, and so send the next ones.
    """
    window = window_of(memory, lane)
    if window is None:
        raise ValueError(f"the {lane} lane reads no window")
    if read.unsent and lane is not Lane.LIVE:
        return _count(memory, lane, read)

    window = window.model_copy(
        update={
            "range": TimeRange(start=window.range.start, end=read.end or window.range.end),
            "page": read.page,
            "digest": read.digest,
            "pages": window.pages + 1,
            "records": window.records + read.records,
            "has_postponed": window.has_postponed or read.postponed is not None,
            "has_unsent": window.has_unsent or read.unsent > 0,
            "detections_only": read.detections_only,
        }
    )
    memory = _count(memory, lane, read)
    if read.page is not None and window.pages >= MOST_PAGES:
        return record_failure(memory, lane, f"a window goes on after {MOST_PAGES:,} pages", now)
    if read.page is not None and not _is_given_up(lane, window, now):
        return _update(memory, **{lane.value: window})
    if window.has_postponed:
        memory = _owe(memory, window.range, now)
    if read.unseen:
        memory = _keep_unseen(memory, read.unseen, now)
    if lane is Lane.LIVE:
        return _finish_live(memory, start, window, now)
    if lane is Lane.OVERFLOW:
        return _update(memory, overflow=None)

    return _finish_backfill(memory, start, window, now)


def _keep_unseen(memory: PollerSnapshot, unseen: TimeRanges, now: datetime) -> PollerSnapshot:
    """Read again later what could not be read whole: nothing may pass it for read.

    That is trouble of the backfill lane, which does it; fresh mail is read as before.
    """
    for one in unseen:
        memory = _owe(memory, one, now)
    return _update(memory, troubles={**memory.troubles, Lane.BACKFILL: UNSEEN})


def _is_given_up(lane: Lane, window: Window, now: datetime) -> bool:
    """Whether the live lane leaves the rest of a window to the overflow lane."""
    is_slow = window.has_unsent and now - window.range.end >= LIVE_READING
    return lane is Lane.LIVE and is_slow


def record_failure(memory: PollerSnapshot, lane: Lane, why: str, now: datetime) -> PollerSnapshot:
    """Give up the window of a lane.

    The live lane chooses another one. A window of the other lanes is set aside, and tried again
    later by the backfill lane, so that one which cannot be read does not stop the others.
    """
    taker = Lane.LIVE if lane is Lane.LIVE else Lane.BACKFILL
    memory = _update(memory, troubles={**memory.troubles, taker: why})
    if lane is Lane.LIVE:
        # `completed`: whoever waits for a requested poll learns of the trouble instead.
        return _update(memory, live=None, completed=memory.requested)
    if (window := window_of(memory, lane)) is not None:
        memory = _owe(memory, window.range, now)
    return _update(memory, **{lane.value: None})


def _owe(memory: PollerSnapshot, range_: TimeRange, now: datetime) -> PollerSnapshot:
    return _update(
        memory,
        owed=add_range(memory.owed, range_),
        owed_at=memory.owed_at or now + memory.owed_wait,
    )


def _count(memory: PollerSnapshot, lane: Lane, read: PageRead) -> PollerSnapshot:
    return _update(
        memory,
        pages=memory.pages + 1,
        seen=memory.seen + read.seen,
        matched=memory.matched + read.matched,
        rejected=memory.rejected + read.rejected,
        set_aside=memory.set_aside + read.set_aside,
        newest=max(filter(None, (read.newest, memory.newest)), default=None),
        is_detections_only=read.detections_only if lane is Lane.LIVE else memory.is_detections_only,
        troubles={one: why for one, why in memory.troubles.items() if one is not lane},
    )


def _update(memory: PollerSnapshot, **changes: object) -> PollerSnapshot:
    return memory.model_copy(update=changes)
