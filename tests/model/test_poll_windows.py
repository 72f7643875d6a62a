"""The windows of a poller: simulated days with outages, late records, errors and restarts.

Brute force decides what should have been read: every record that was visible early enough.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.model.events import EventKind
from clawback.model.poll_windows import (
    BACKFILL_SPAN,
    begin_backfill,
    begin_live,
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
)

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
    """A poller, an API that it reads, and a clock."""

    start: PollerStart
    records: list[Record]
    now: datetime = BEGIN
    memory: PollerSnapshot = field(init=False)
    saved: list[PollerSnapshot] = field(default_factory=list)
    fails: bool = False
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
        for one in new:
            one.read_at = self.now
        more = str(first + request.page_size) if first + request.page_size < len(found) else None
        return PageRead(page=more, records=len(page), seen=len(new))

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
        begin = begin_live if lane is Lane.LIVE else begin_backfill
        self.memory = begin(self.memory, self.start, self.now)
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
        request = next_page(self.memory, self.start, lane)
        if request.is_sweep:
            self.sweeps.append(request)
        read = self.watch(request) if lane is Lane.LIVE else self.read(request)
        self.memory = record_page(self.memory, self.start, lane, read, self.now)
        self.saved.append(self.memory)

    def turn(self) -> None:
        """Let the live lane read a window and rest; the other lane reads a page every second."""
        self.step(Lane.LIVE)
        while self.memory.live is not None:
            self.step(Lane.BACKFILL)
            self.step(Lane.LIVE)
        rested = self.now + self.start.interval
        while self.now < rested:
            self.step(Lane.BACKFILL)

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
    ["turn", "turn", "turn", "outage", "long outage", "errors", "crash", "rewind", "request"]
)


@settings(max_examples=60)
@given(st.lists(steps, max_size=25), st.integers(0, 10_000), st.integers(1, 40))
def test_every_record_is_read(script: list[str], seed: int, page_size: int) -> None:
    """Whatever happens: outages of two days, errors, and runs that inherit an old state."""
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
        elif action == "rewind":
            to = world.now - timedelta(hours=random.randrange(30))
            world.memory = rewind(world.memory, to, world.now)
        elif action == "request":
            world.memory = request_poll(world.memory)
        for _ in range(random.randrange(20)):
            world.turn()
    world.fails = False
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
