"""The windows of a poller: simulated days with outages, late records, errors and restarts.

Brute force decides what should have been read: every record that was visible early enough.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.model.events import EventKind
from clawback.model.poll_pace import BACKFILL_SPAN
from clawback.model.poll_windows import (
    LIVE_PATIENCE,
    MOST_PAGES,
    begin_backfill,
    begin_live,
    begin_overflow,
    first_snapshot,
    is_watched,
    next_page,
    record_failure,
    record_page,
    request_poll,
    rewind,
    watch_patience,
    window_of,
)
from clawback.model.polling import (
    Lane,
    PageRead,
    PollerSnapshot,
    PollerStart,
    ReadPage,
    Reason,
    Window,
)
from clawback.model.time_ranges import TimeRange

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = timedelta(seconds=1)
SECOND = timedelta(seconds=1)


@dataclass
class Record:
    """A message: when it was scanned, and from when on lists show it."""

    at: datetime
    visible: datetime
    read_at: datetime | None = None


@dataclass
class World:
    """A poller, an API that it reads, and a clock.

    A record is read once its match is sent; that takes `sending` each.
    """

    start: PollerStart
    records: list[Record]
    now: datetime = BEGIN
    memory: PollerSnapshot = field(init=False)
    saved: list[PollerSnapshot] = field(default_factory=list)
    fails: bool = False
    sending: timedelta = timedelta(0)
    spans: list[timedelta] = field(default_factory=list)
    pages: list[Lane] = field(default_factory=list)
    sweeps: list[ReadPage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory = first_snapshot(self.start, self.now)

    def read(self, request: ReadPage) -> PageRead:
        """Answer as the API does: the records of a window, page by page."""
        begin, end = (
            bisect_left(self.records, time, key=lambda one: one.at)
            for time in (request.start, request.end)
        )
        found = [one for one in self.records[begin:end] if one.visible <= self.now]
        first = int(request.page or 0)
        page = found[first : first + request.page_size]
        new = [one for one in page if one.read_at is None]
        sent = self.send(new, request.patience)
        more = str(first + request.page_size) if first + request.page_size < len(found) else None
        return PageRead(page=more, records=len(page), seen=sent, unsent=len(new) - sent)

    def send(self, new: list[Record], patience: timedelta) -> int:
        """Send matches, the newest first and at least one, until the patience is over."""
        began, sent = self.now, 0
        for one in reversed(new):
            if sent and self.now - began >= patience:
                break
            self.now += self.sending
            one.read_at = self.now
            sent += 1
        return sent

    def watch(self, request: ReadPage) -> PageRead:
        """Read a window again and again while nothing is new, as the activity does."""
        if request.page or not is_watched(self.memory, self.start):
            return self.read(request)
        begun, interval = self.now, self.start.interval
        patience = watch_patience(self.memory, self.start, self.now)
        while True:
            self.now += interval
            end = request.end + (self.now - begun)
            read = self.read(request.model_copy(update={"end": end}))
            if not read.is_quiet or self.now - begun + interval > patience:
                return read.model_copy(update={"end": end})

    def step(self, lane: Lane) -> None:
        """Read one page of a lane, or wait for a second if there is none."""
        self.memory = self.begin(lane)
        self.now += PAGE
        window = window_of(self.memory, lane)
        if window is None:
            return
        self.pages.append(lane)
        if window.reason is Reason.BACKLOG and window.page is None:
            self.spans.append(window.range.length)
        if self.fails:
            self.memory = record_failure(self.memory, lane, "unavailable", self.now)
            return
        request = next_page(self.memory, self.start, lane, self.now)
        if request.is_sweep:
            self.sweeps.append(request)
        read = self.watch(request) if lane is Lane.LIVE else self.read(request)
        self.memory = record_page(self.memory, self.start, lane, read, self.now)
        self.saved.append(self.memory)

    def begin(self, lane: Lane) -> PollerSnapshot:
        """Choose the next window of a lane."""
        if lane is Lane.OVERFLOW:
            return begin_overflow(self.memory, self.now)
        begin = begin_live if lane is Lane.LIVE else begin_backfill
        return begin(self.memory, self.start, self.now)

    def turn(self) -> None:
        """Let the live lane read a window and rest; the other lanes read a page every second."""
        self.step(Lane.LIVE)
        while self.memory.live is not None:
            self.step_beside()
            self.step(Lane.LIVE)
        rested = self.now + self.start.interval
        while self.now < rested:
            self.step_beside()

    def step_beside(self) -> None:
        """Let the other lanes read a page each, in the time of the slower one."""
        began = over = self.now
        if self.memory.overflowing:
            self.step(Lane.OVERFLOW)
            over, self.now = self.now, began
        self.step(Lane.BACKFILL)
        self.now = max(self.now, over)

    def run_in_parallel(self, until: datetime) -> None:
        """Let each lane go on by itself, so that a page that takes long delays no other lane."""
        times = dict.fromkeys(Lane, self.now)
        while (lane := min(times, key=lambda one: times[one])) and times[lane] < until:
            self.now = times[lane]
            self.step(lane)
            is_resting = lane is Lane.LIVE and self.memory.live is None
            times[lane] = self.now + (self.start.interval if is_resting else timedelta(0))
        self.now = until

    def settle(self) -> None:
        """Read until nothing is left: past the next check, and past what is owed."""
        for _ in range(40):
            self.turn()
        for _ in range(20_000):
            self.turn()
            if not self.memory.unread and self.memory.status(EventKind.MESSAGE, self.now).has_read(
                self.now - timedelta(minutes=2)
            ):
                return
        raise AssertionError(f"it never ends: {self.memory}")


def records_of(seed: int, count: int, days: float, lateness: timedelta) -> list[Record]:
    """Scatter records in bursts; some become visible late, within the lookback."""
    random = Random(seed)  # noqa: S311 - a script of a test, repeatable
    found = []
    for _ in range(count):
        at = BEGIN + timedelta(days=days) * random.choice(
            [random.random(), random.randrange(5) / 5]
        )
        late = lateness * random.choice([0, 0, 0, random.random(), 1])
        found.append(Record(at=at, visible=at + late))
    return sorted(found, key=lambda one: one.at)


steps = st.sampled_from(
    [
        *["turn", "turn", "turn", "outage", "long outage", "errors", "crash", "rewind", "request"],
        *["slow", "very slow"],
    ]
)


@settings(max_examples=60)
@given(st.lists(steps, max_size=25), st.integers(0, 10_000), st.integers(1, 40))
def test_every_record_is_read(script: list[str], seed: int, page_size: int) -> None:
    """Whatever happens: outages, errors, runs that inherit an old state, and slow sending.

    A run that inherits an old state may find that its matches were not sent after all.
    """
    start = PollerStart(source=EventKind.MESSAGE, page_size=page_size, start=timedelta(0))
    world = World(start, records_of(seed, 300, 4, start.lookback))
    random = Random(seed)  # noqa: S311 - a script of a test, repeatable
    for action in script:
        if action == "outage":
            world.now += timedelta(minutes=random.randrange(90))
        elif action == "long outage":
            world.now += timedelta(hours=random.randrange(48))
        elif action == "errors":
            world.fails = not world.fails
        elif action == "crash" and world.saved:
            world.memory = random.choice(world.saved[-20:])
        elif action.endswith("slow"):
            world.sending = timedelta(seconds=4 if action == "slow" else 30)
        elif action == "rewind":
            to = world.now - timedelta(hours=random.randrange(30))
            world.memory = rewind(world.memory, to, world.now)
        elif action == "request":
            world.memory = request_poll(world.memory)
        for _ in range(random.randrange(20)):
            world.turn()
    world.fails, world.sending = False, timedelta(0)
    world.now = max(world.now, BEGIN + timedelta(days=4)) + start.lookback
    world.settle()

    missed = [one for one in world.records if one.read_at is None]
    assert not missed
    assert world.memory.completed == world.memory.requested


def test_fresh_mail_never_waits_for_a_backlog() -> None:
    """After 48 hours at a page a minute, each fresh record is read within 30 seconds."""
    start = PollerStart(source=EventKind.MESSAGE, page_size=20, start=timedelta(0))
    every = timedelta(seconds=3)
    away = timedelta(hours=48)
    count = (away + timedelta(hours=4)) // every
    records = [Record(BEGIN + number * every, BEGIN + number * every) for number in range(count)]
    world = World(start, records)
    for _ in range(5):
        world.turn()
    world.now += away
    back = world.now
    while world.memory.unread or world.memory.checked_to < back:
        world.turn()
    fresh = [one for one in records if back - SECOND <= one.at < world.now - timedelta(seconds=30)]
    assert len(fresh) > 100
    assert all(one.read_at and one.read_at - one.at <= timedelta(seconds=30) for one in fresh)
    assert all(one.read_at for one in records if one.at < back)
    assert max(world.spans[1:]) <= BACKFILL_SPAN


def test_fresh_mail_never_waits_for_matches_that_are_being_sent() -> None:
    """A thousand matches take eight minutes to send; a fresh one every ten seconds does not wait.

    Those that arrive with the thousand are on any of its pages.
    """
    start = PollerStart(source=EventKind.MESSAGE, page_size=200, start=timedelta(0))
    world = World(start, [], sending=SECOND / 2)
    for _ in range(3):
        world.turn()
    began = world.now
    times = [began + SECOND / 1000 * number for number in range(1000)]
    fresh = [Record(at, at) for at in (began + 10 * SECOND * number for number in range(50))]
    storm = [Record(at, at) for at in times]
    world.records = sorted([*storm, *fresh], key=lambda one: one.at)
    world.run_in_parallel(until=began + timedelta(minutes=10))

    assert all(one.read_at for one in world.records)
    later = [one for one in fresh[1:] if one.read_at is not None]
    assert max(one.read_at - one.at for one in later if one.read_at) <= 30 * SECOND
    assert not world.memory.overflowing
    assert world.memory.status(EventKind.MESSAGE, world.now).detail is None


def live_window(world: World, **read: Any) -> PollerSnapshot:
    """Let the live lane read one page."""
    world.memory = begin_live(world.memory, world.start, world.now)
    return record_page(world.memory, world.start, Lane.LIVE, PageRead(**read), world.now)


def test_the_cursor_passes_unsent_matches_only_with_a_window_that_owes_them() -> None:
    """The window is in the state, and in what people see, until all is sent."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(0)), [])
    memory = world.memory = live_window(world, unsent=3)
    (owed,) = memory.unsent
    assert owed.end == memory.cursor == world.now
    status = memory.status(EventKind.MESSAGE, world.now)
    assert status.unsent == status.backlog == owed.length
    assert "being sent" in (status.detail or "")
    assert not status.has_read(world.now)

    world.now += 5 * SECOND
    fresher = begin_live(memory, world.start, world.now).live
    assert fresher is not None
    assert fresher.range.start == owed.end

    memory = begin_overflow(memory, world.now)
    again = record_page(memory, world.start, Lane.OVERFLOW, PageRead(unsent=1), world.now)
    assert next_page(again, world.start, Lane.OVERFLOW, world.now) == next_page(
        memory, world.start, Lane.OVERFLOW, world.now
    )
    done = record_page(again, world.start, Lane.OVERFLOW, PageRead(), world.now)
    assert not done.overflowing


def test_the_pages_of_a_live_window_share_its_patience() -> None:
    """Each is read, so that the newest mail is found on any of them, until twenty seconds."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(0)), [])
    world.memory = begin_live(world.memory, world.start, world.now)
    assert next_page(world.memory, world.start, Lane.LIVE, world.now).patience == LIVE_PATIENCE
    for seconds, left in ((6, 2), (9, 0), (15, 0)):
        now = world.now + seconds * SECOND
        read = PageRead(page="next", digest=str(seconds), unsent=1)
        world.memory = record_page(world.memory, world.start, Lane.LIVE, read, now)
        assert next_page(world.memory, world.start, Lane.LIVE, now).patience == left * SECOND

    now = world.now + 20 * SECOND
    ended = record_page(world.memory, world.start, Lane.LIVE, PageRead(page="more"), now)
    assert ended.live is None
    assert ended.overflowing


def test_an_overflow_that_cannot_be_read_is_backlog() -> None:
    """The other lane tries it again, and the status is well once that has worked."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(0)), [])
    world.memory = live_window(world, unsent=3)
    memory = begin_overflow(world.memory, world.now)
    memory = record_failure(memory, Lane.OVERFLOW, "unavailable", world.now)
    assert not memory.overflowing
    assert memory.owed == world.memory.unsent
    assert memory.problem == "unavailable"
    memory = begin_backfill(memory, world.start, world.now + timedelta(minutes=1))
    memory = record_page(memory, world.start, Lane.BACKFILL, PageRead(), world.now)
    assert memory.problem is None


@pytest.mark.parametrize(("history", "most"), [(timedelta(days=2), 6), (timedelta(days=2000), 20)])
def test_windows_grow_where_mail_is_sparse(history: timedelta, most: int) -> None:
    """A quiet account catches up on two days, or on years, with few requests."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=history), [])
    while world.memory.unread:
        world.turn()
    assert world.pages.count(Lane.BACKFILL) <= most


def test_a_window_that_cannot_be_read_stops_no_other() -> None:
    """It is set aside and stays in the backlog; the rest is read."""
    start = PollerStart(source=EventKind.MESSAGE, page_size=1, start=timedelta(hours=3))
    records = [Record(BEGIN - timedelta(minutes=number), BEGIN) for number in range(179, 0, -1)]
    world = World(start, records)
    world.memory = begin_backfill(world.memory, start, world.now)
    world.memory = record_failure(world.memory, Lane.BACKFILL, "rejected", world.now)
    broken = world.memory.owed[0]
    never = world.now + timedelta(days=1)
    world.memory = world.memory.model_copy(update={"owed_at": never})
    while world.memory.backlog or world.memory.backfill:
        world.turn()
    unread = [one for one in records if one.read_at is None]
    assert unread
    assert all(broken.start <= one.at < broken.end for one in unread)
    assert world.memory.status(EventKind.MESSAGE, world.now).backlog == broken.length


def test_what_could_not_be_read_whole_stays_in_the_backlog() -> None:
    """A live window moves the cursor; the time that it did not see is read again, and reported."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(0)), [])
    world.memory = begin_live(world.memory, world.start, world.now)
    unseen = TimeRange(start=world.now - 2 * SECOND, end=world.now - SECOND)
    read = PageRead(unseen=(unseen,))
    memory = record_page(world.memory, world.start, Lane.LIVE, read, world.now)
    assert memory.owed == (unseen,)
    status = memory.status(EventKind.MESSAGE, world.now)
    assert (status.state, status.backlog) == ("degraded", unseen.length)
    assert not status.has_read(world.now)

    memory = begin_backfill(memory, world.start, world.now + timedelta(minutes=1))
    assert memory.backfill is not None
    memory = record_page(memory, world.start, Lane.BACKFILL, PageRead(), world.now)
    assert (memory.problem, memory.unread) == (None, ())


def test_a_window_whose_pages_never_end_is_set_aside() -> None:
    """Cursors that lead in a circle stop neither lane for ever."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(hours=1)), [])
    memory = begin_backfill(world.memory, world.start, world.now)
    for number in range(MOST_PAGES):
        read = PageRead(page=str(number % 2), digest=str(number))
        memory = record_page(memory, world.start, Lane.BACKFILL, read, world.now)
    assert memory.backfill is None
    assert memory.owed
    assert "goes on after" in (memory.problem or "")


def test_a_verdict_that_changed_is_seen_by_the_sweep() -> None:
    """Every six hours the last 72 hours are read for detections only, after everything else."""
    start = PollerStart(source=EventKind.MESSAGE, start=timedelta(0))
    world = World(start, [])
    world.turn()
    world.now += timedelta(hours=6)
    for _ in range(400):
        world.turn()
    assert world.sweeps
    assert all(request.detections_only for request in world.sweeps)
    assert min(request.start for request in world.sweeps) <= world.now - timedelta(hours=60)


def test_a_page_says_up_to_when_its_time_was_read_before() -> None:
    """For the live lane that is the cursor; what is read again was read to its end."""
    world = World(PollerStart(source=EventKind.MESSAGE, start=timedelta(0)), [])
    cursor = world.memory.cursor
    world.memory = begin_live(world.memory, world.start, world.now)
    assert next_page(world.memory, world.start, Lane.LIVE, world.now).read_to == cursor
    read_again = TimeRange(start=cursor - timedelta(minutes=5), end=cursor)
    for reason, read_to in ((Reason.SWEEP, cursor), (Reason.LATE, cursor), (Reason.BACKLOG, None)):
        window = Window(range=read_again, reason=reason, started_at=world.now)
        memory = world.memory.model_copy(update={"backfill": window})
        assert next_page(memory, world.start, Lane.BACKFILL, world.now).read_to == read_to
