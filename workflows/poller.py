"""Polls one source for ever: read the window to its end, wait, read again."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.ingest import IngestActivities
    from clawback.model.polling import (
        OWED_EVERY,
        PageRead,
        PollerSnapshot,
        PollerStart,
        PollerStatus,
        ReadPage,
        window_start,
    )
    from clawback.model.texts import bounded
    from clawback.temporal import names
    from workflows.options import POLL, TROUBLE_PAUSE

_LINGER_MARGIN = timedelta(minutes=15)
"""A case stays open for longer than any poll reads back, so a late match joins it."""


@workflow.defn(name=names.POLLER)
class PollerWorkflow:
    """Polls one source.

    Id: `poller/<source>`. It keeps a cursor, a pause flag and counters. It may read a page twice:
    cases drop matches that they have.
    """

    @workflow.init
    def __init__(self, start: PollerStart) -> None:
        self._start = start
        self._memory = start.memory or PollerSnapshot(cursor=workflow.now() - start.start)
        self._requested = 0
        self._completed = 0
        self._is_rewound = False

    @workflow.run
    async def run(self, start: PollerStart) -> None:
        """Read one window after the other to its end."""
        while True:
            if self._memory.paused is None:
                await self._poll()
            await self._wait()
            if self._is_renewable:
                workflow.continue_as_new(start.model_copy(update={"memory": self._memory}))

    async def _poll(self) -> None:
        request_number, now = self._requested, workflow.now()
        self._is_rewound = False
        begin, is_sweep = window_start(self._memory, self._start.lookback, now)
        pages, has_postponed = 0, False
        page: str | None = None
        former: str | None = None
        while page is not None or pages == 0:
            request = ReadPage(
                source=self._start.source,
                start=begin,
                end=now,
                page=page,
                former=former,
                page_size=self._start.page_size,
                linger=self._start.lookback + _LINGER_MARGIN,
            )
            read = await self._read(request)
            if read is None or self._is_rewound or self._memory.paused is not None:
                self._completed = request_number
                return
            pages, page, former = pages + 1, read.page, read.digest
            has_postponed = has_postponed or read.postponed is not None
        self._note_postponed(begin, has_postponed=has_postponed, is_sweep=is_sweep)
        self._finish_poll(now, request_number, pages if is_sweep else None)

    def _note_postponed(self, begin: datetime, *, has_postponed: bool, is_sweep: bool) -> None:
        if has_postponed:
            self._update(owed=min(begin, self._memory.owed or begin))
        elif is_sweep:
            self._update(owed=None)

    async def _read(self, request: ReadPage) -> PageRead | None:
        try:
            read: PageRead = await workflow.execute_activity_method(
                IngestActivities.read_page, request, **POLL
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._update(trouble=_describe(error))
            workflow.logger.error(
                "poll.degraded",
                extra={"source": self._start.source.value, "error_type": _error_type(error)},
            )
            return None
        memory = self._memory
        newest = max(filter(None, (read.newest, memory.newest)), default=None)
        self._update(
            trouble=None,
            seen=memory.seen + read.seen,
            matched=memory.matched + read.matched,
            rejected=memory.rejected + read.rejected,
            set_aside=memory.set_aside + read.set_aside,
            newest=newest,
        )
        return read

    def _finish_poll(self, now: datetime, request_number: int, sweep_pages: int | None) -> None:
        self._update(cursor=now, drained_at=workflow.now(), turns=self._memory.turns + 1)
        if sweep_pages is not None:
            self._update(swept_at=now, sweep_pages=sweep_pages)
        self._completed = request_number

    async def _wait(self) -> None:
        if self._memory.paused is not None:
            await workflow.wait_condition(lambda: self._memory.paused is None or self._is_renewable)
        elif not self._is_rewound:
            pause = self._start.interval
            if self._memory.owed is not None:
                pause = min(pause, OWED_EVERY)
            await self._sleep(TROUBLE_PAUSE if self._memory.trouble else pause)

    async def _sleep(self, time: timedelta) -> None:
        if not self._must_wake:
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._must_wake, timeout=time, timeout_summary="until the next poll"
                )

    @property
    def _must_wake(self) -> bool:
        return (
            self._requested > self._completed
            or self._is_rewound
            or self._memory.paused is not None
            or self._is_renewable
        )

    @property
    def _is_renewable(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()

    @workflow.update(name=names.POLL_NOW)
    async def poll_now(self) -> PollerStatus:
        """Poll at once; return when a poll that started after this call has read everything."""
        if self._memory.paused is not None:
            raise ApplicationError(f"the poller is paused ({self._memory.paused}): resume it first")
        self._requested += 1
        number = self._requested
        await workflow.wait_condition(lambda: self._completed >= number)
        return self.status()

    @workflow.update(name=names.PAUSE)
    def pause(self, reason: str) -> PollerStatus:
        """Pause after the page that is being read."""
        self._update(paused=bounded(reason) or "no reason given")
        return self.status()

    @workflow.update(name=names.RESUME)
    def resume(self) -> PollerStatus:
        """Continue where it stopped."""
        self._update(paused=None)
        return self.status()

    @workflow.update(name=names.REWIND)
    def rewind(self, to: datetime) -> PollerStatus:
        """Read again from a point in time on, starting at once."""
        self._update(cursor=to + self._start.lookback, swept_at=None)
        self._is_rewound = True
        return self.status()

    @rewind.validator
    def _validate_rewind(self, to: datetime) -> None:
        if to.tzinfo is None:
            raise ApplicationError("the time needs an offset, such as 2026-11-22T08:00:00Z")
        if to > workflow.now():
            raise ApplicationError(f"{to.isoformat()} is in the future; rewind goes back only")

    @workflow.query(name=names.STATUS)
    def status(self) -> PollerStatus:
        """Cursor, counters and state of the poller."""
        memory = self._memory
        state = "polling"
        if memory.paused is not None:
            state = "paused"
        elif memory.trouble is not None:
            state = "degraded"
        return PollerStatus(
            source=self._start.source,
            state=state,
            cursor=memory.cursor,
            owed=memory.owed,
            drained_at=memory.drained_at,
            newest=memory.newest,
            turns=memory.turns,
            seen=memory.seen,
            matched=memory.matched,
            rejected=memory.rejected,
            set_aside=memory.set_aside,
            detail=memory.paused or memory.trouble,
        )

    def _update(self, **changes: object) -> None:
        self._memory = self._memory.model_copy(update=changes)


def _describe(error: ActivityError) -> str:
    return bounded(f"{_error_type(error)}: {error.cause}")


def _error_type(error: ActivityError) -> str:
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type
    return type(cause).__name__
