"""Polls one source for ever, in lanes: fresh mail, and beside it everything else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004 - Temporal's, of an activity
    TimeoutType,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.ingest import IngestActivities
    from clawback.model.audit_record import AuditRecord, RecordKind
    from clawback.model.orders import Order, OrderLog, SignedOrder, Verb
    from clawback.model.poll_windows import (
        begin_backfill,
        begin_live,
        begin_overflow,
        drop_live,
        first_snapshot,
        is_backfill_due,
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
        PollerStatus,
        ReadPage,
        Reason,
        WatchPage,
    )
    from clawback.model.record_ids import RecordIds
    from clawback.model.texts import bounded
    from clawback.model.times import parse_time
    from clawback.temporal import names
    from workflows.options import (
        BACKFILL,
        FIND_READER,
        POLL,
        SWEEP_PAUSE,
        TROUBLE_PAUSE,
        WATCH,
    )
    from workflows.steps.audit import write_records
    from workflows.steps.orders import require_order, take_order

_MOST_EVENTS = 2_000
"""Length of the history from which a new run continues: about 250 pages."""
_SHORTEST_PAUSE = timedelta(seconds=1)


@workflow.defn(name=names.POLLER, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PollerWorkflow:
    """Polls one source.

    Id: `poller/<source>`. It may read a page twice: cases drop matches that they have. Which window
    comes next is decided in `poll_windows`.
    """

    @workflow.init
    def __init__(self, start: PollerStart) -> None:
        self._start = start
        self._memory = start.memory or first_snapshot(start, workflow.now())
        self._are_others_over = False
        self._choosing = asyncio.Lock()
        self._orders = OrderLog(self._memory.orders)
        self._writing: set[asyncio.Task[None]] = set()
        info = workflow.info()
        self._record_ids = RecordIds(info.workflow_id, info.run_id)

    @workflow.run
    async def run(self, start: PollerStart) -> None:
        """Run the lanes until the history is long, then continue as new between two pages."""
        await asyncio.gather(self._run_live(), self._run_others())
        await workflow.wait_condition(
            lambda: not self._writing and workflow.all_handlers_finished()
        )
        workflow.continue_as_new(start.model_copy(update={"memory": self.snapshot()}))

    # ---- the lanes

    async def _run_live(self) -> None:
        """Read the newest window, wait, and again.

        It ends after the other lanes, so that fresh mail never waits for a page of theirs.
        """
        while not self._are_others_over:
            if self._is_paused:
                await self._wait(lambda: not self._is_paused or self._are_others_over)
                continue

            self._memory = begin_live(self._memory, self._start, workflow.now())
            await self._read_window(Lane.LIVE, lambda: self._are_others_over)
            # A window that is watched begins with a rest.
            if self._memory.live is None and not is_watched(self._memory, self._start):
                await self._wait(lambda: self._is_live_wanted, self._live_pause)

    @property
    def _is_live_wanted(self) -> bool:
        is_asked = self._memory.requested > self._memory.completed
        return is_asked or self._is_paused or self._are_others_over

    @property
    def _live_pause(self) -> timedelta:
        """How long the live lane rests. It also wakes the backfill lane for what is owed."""
        if Lane.LIVE in self._memory.troubles:
            return TROUBLE_PAUSE
        return min(self._start.interval, self._until_owed or self._start.interval)

    async def _run_others(self) -> None:
        await asyncio.gather(self._run_overflow(), self._run_backfill())
        self._are_others_over = True

    async def _run_overflow(self) -> None:
        """Send what the live lane left unsent, one window after the other."""
        while not self._is_history_long:
            if not self._is_overflow_wanted:
                await self._wait(lambda: self._is_overflow_wanted or self._is_history_long)
                continue

            self._memory = begin_overflow(self._memory, workflow.now())
            await self._read_window(Lane.OVERFLOW, lambda: self._is_history_long)

    @property
    def _is_overflow_wanted(self) -> bool:
        return not self._is_paused and bool(self._memory.overflowing)

    async def _run_backfill(self) -> None:
        """Read what is left to read, one window after the other, until the history is long."""
        while not self._is_history_long:
            if not self._is_backfill_wanted:
                await self._wait(
                    lambda: self._is_backfill_wanted or self._is_history_long, self._until_owed
                )
                continue

            self._memory = begin_backfill(self._memory, self._start, workflow.now())
            await self._read_window(Lane.BACKFILL, lambda: self._is_history_long)
            if Lane.BACKFILL in self._memory.troubles:
                await self._wait(lambda: self._is_history_long, TROUBLE_PAUSE)

    @property
    def _is_backfill_wanted(self) -> bool:
        return not self._is_paused and is_backfill_due(self._memory, self._start, workflow.now())

    @property
    def _until_owed(self) -> timedelta | None:
        """How long until a window with postponed events shall be read again; None if never."""
        if self._memory.owed_at is None or self._is_paused:
            return None
        return max(self._memory.owed_at - workflow.now(), _SHORTEST_PAUSE)

    async def _wait(self, holds: Callable[[], bool], pause: timedelta | None = None) -> None:
        """Wait until a condition holds, at most for a pause."""
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                holds, timeout=pause, timeout_summary="until the next page"
            )

    # ---- pages

    async def _read_window(self, lane: Lane, must_stop: Callable[[], bool]) -> None:
        """Read the pages of the window of a lane, until it is finished or the run shall stop."""
        while (window := window_of(self._memory, lane)) is not None:
            if must_stop() or self._is_paused:
                return
            try:
                read = await self._read_page(lane)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                self._record_failure(lane, error)
                return
            if read is not None:
                self._change(record_page(self._memory, self._start, lane, read, workflow.now()))
                if window.reason is Reason.SWEEP:
                    await self._wait(must_stop, SWEEP_PAUSE)

    async def _read_page(self, lane: Lane) -> PageRead | None:
        """Read a page on the worker that read the last one: it knows what was dispatched.

        None if that worker did not take it: it has ended, or is too busy.
        """
        worker = await self._choose_worker()
        request = next_page(self._memory, self._start, lane, workflow.now())
        try:
            if lane is Lane.LIVE and not request.page and is_watched(self._memory, self._start):
                return await self._watch_page(request, worker)

            options = BACKFILL if lane is Lane.BACKFILL else POLL
            read: PageRead = await workflow.execute_activity_method(
                IngestActivities.read_page, request, task_queue=worker, **options
            )
        except ActivityError as error:
            if not _is_not_taken(error):
                raise
            if self._memory.worker == worker:
                self._memory = self._memory.model_copy(update={"worker": None})
            return None
        return read

    async def _watch_page(self, page: ReadPage, worker: str) -> PageRead | None:
        """Read the newest window until something is new, or somebody wants something else.

        A quiet source costs one activity in three minutes. An error is left to the ordinary way.
        """
        patience = watch_patience(self._memory, self._start, workflow.now())
        watch = workflow.start_activity_method(
            IngestActivities.watch_page,
            WatchPage(page=page, interval=self._start.interval, patience=patience),
            task_queue=worker,
            **WATCH,
        )
        await workflow.wait_condition(lambda: watch.done() or self._is_live_wanted)
        if not watch.done():
            watch.cancel()
        try:
            read: PageRead = await watch
        except (ActivityError, asyncio.CancelledError) as error:
            if self._is_live_wanted and is_cancelled_exception(error):
                self._memory = drop_live(self._memory)
                return None
            if is_cancelled_exception(error) or _is_not_taken(error):
                raise
            read = await workflow.execute_activity_method(
                IngestActivities.read_page, page, task_queue=worker, **POLL
            )
        return read

    async def _choose_worker(self) -> str:
        """Return the queue of the worker that reads for all lanes; any worker may become it."""
        async with self._choosing:
            if self._memory.worker is None:
                worker: str = await workflow.execute_activity_method(
                    IngestActivities.find_reader, **FIND_READER
                )
                self._memory = self._memory.model_copy(update={"worker": worker})
            return self._memory.worker or ""

    def _record_failure(self, lane: Lane, error: ActivityError) -> None:
        self._change(record_failure(self._memory, lane, _describe(error), workflow.now()))
        workflow.logger.error(
            "poll.degraded",
            extra={
                "source": self._start.source.value,
                "lane": lane.value,
                "error_type": _error_type(error),
            },
        )

    # ---- state

    def _change(self, memory: PollerSnapshot) -> None:
        """Take over a new state. Where trouble begins or ends, that is put on record."""
        was, self._memory = self._memory.problem, memory
        if (was is None) is not (memory.problem is None):
            task = asyncio.create_task(write_records([self._describe_trouble()]))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def _describe_trouble(self) -> AuditRecord:
        problem = self._memory.problem
        record = AuditRecord(
            id="",
            at=workflow.now(),
            kind=RecordKind.POLL_RECOVERED if problem is None else RecordKind.POLL_DEGRADED,
            event=f"{self._start.source}/",
            detail=problem,
        )
        return self._record_ids.identify(record)

    @property
    def _is_paused(self) -> bool:
        return self._memory.paused is not None

    @property
    def _is_history_long(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or (
            info.get_current_history_length() >= _MOST_EVENTS
        )

    @workflow.update(name=names.POLL_NOW)
    def poll_now(self) -> PollerStatus:
        """Poll at once. The poll is over when `completed` has reached the `requested` of this."""
        if self._memory.paused is not None:
            raise ApplicationError(f"the poller is paused ({self._memory.paused}): resume it first")
        self._memory = request_poll(self._memory)
        return self.status()

    @workflow.update(name=names.PAUSE)
    async def pause(self, signed: SignedOrder) -> PollerStatus:
        """Pause after the pages that are being read."""
        order = await take_order(signed, Verb.PAUSE_POLLING, self._orders)
        self._set_paused(bounded(order.reason) or "no reason given")
        return await self._record(RecordKind.POLL_PAUSED, order, order.reason)

    @workflow.update(name=names.RESUME)
    async def resume(self, signed: SignedOrder) -> PollerStatus:
        """Continue where it stopped."""
        order = await take_order(signed, Verb.RESUME_POLLING, self._orders)
        self._set_paused(None)
        return await self._record(RecordKind.POLL_RESUMED, order, order.reason)

    @workflow.update(name=names.REWIND)
    async def rewind(self, signed: SignedOrder) -> PollerStatus:
        """Read again from the time on that the order names, beside fresh mail."""
        order = await take_order(signed, Verb.REWIND_POLLING, self._orders)
        to = _read_past_time(order)
        self._memory = rewind(self._memory, to, workflow.now())
        detail = f"to {to:%FT%TZ}" + (f" · {order.reason}" if order.reason else "")
        return await self._record(RecordKind.POLL_REWOUND, order, detail)

    @pause.validator
    def _validate_pause(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.PAUSE_POLLING, self._orders)

    @resume.validator
    def _validate_resume(self, signed: SignedOrder) -> None:
        require_order(signed, Verb.RESUME_POLLING, self._orders)

    @rewind.validator
    def _validate_rewind(self, signed: SignedOrder) -> None:
        _read_past_time(require_order(signed, Verb.REWIND_POLLING, self._orders))

    def _set_paused(self, reason: str | None) -> None:
        self._memory = self._memory.model_copy(update={"paused": reason})

    async def _record(self, kind: RecordKind, order: Order, detail: str) -> PollerStatus:
        """Put an order that was carried out on record; return the state it led to."""
        status = self.status()
        record = AuditRecord(
            id="",
            at=workflow.now(),
            kind=kind,
            event=f"{self._start.source}/",
            detail=bounded(detail) or None,
            **order.actor.audit_fields,
        )
        await write_records([self._record_ids.identify(record)])
        return status

    @workflow.query(name=names.STATUS)
    def status(self) -> PollerStatus:
        """The lanes, the backlog and the counters."""
        return self._memory.status(self._start.source, workflow.now())

    @workflow.query(name=names.SNAPSHOT)
    def snapshot(self) -> PollerSnapshot:
        """The whole state, for the run that comes after this one."""
        return self._memory.model_copy(update={"orders": self._orders.counted})


def _read_past_time(order: Order) -> datetime:
    """Return the time that an order names; raise if it is none, or in the future."""
    to = parse_time(order.content)
    if to is None:
        raise ApplicationError(f"{bounded(order.content, 80)!r} is not a time")
    if to > workflow.now():
        raise ApplicationError(f"{to.isoformat()} is in the future; rewind goes back only")
    return to


def _is_not_taken(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, TimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START


def _describe(error: ActivityError) -> str:
    return bounded(f"{_error_type(error)}: {error.cause}")


def _error_type(error: ActivityError) -> str:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type
    return type(cause).__name__
