"""One source of one account, for ever: read the window to its end, wait, read again."""

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

_SLACK = timedelta(minutes=15)


@workflow.defn(name=names.POLLER)
class PollerWorkflow:
    """Polls one source.

    Id: `poller/<source>`. Its state is a cursor, a pause flag and counters; correctness is the
    cases' dedupe.
    """

    @workflow.init
    def __init__(self, start: PollerStart) -> None:
        self._start = start
        self._memory = start.memory or PollerSnapshot(cursor=workflow.now() - start.start)
        self._asked = 0
        self._answered = 0
        self._rewound = False

    @workflow.run
    async def run(self, start: PollerStart) -> None:
        """Turn after turn; each reads one window to its end."""
        while True:
            if self._memory.paused is None:
                await self._turn()
            await self._rest()
            if self._is_renewable:
                workflow.continue_as_new(start.model_copy(update={"memory": self._memory}))

    async def _turn(self) -> None:
        asked, now = self._asked, workflow.now()
        self._rewound = False
        begin, is_sweep = window_start(self._memory, self._start.lookback, now)
        pages, is_owing = 0, False
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
                linger=self._start.lookback + _SLACK,
            )
            read = await self._read(request)
            if read is None or self._rewound or self._memory.paused is not None:
                self._answered = asked
                return
            pages, page, former = pages + 1, read.page, read.digest
            is_owing = is_owing or read.postponed is not None
        self._owe(begin, is_owing=is_owing, is_sweep=is_sweep)
        self._drained(now, asked, pages if is_sweep else None)

    def _owe(self, begin: datetime, *, is_owing: bool, is_sweep: bool) -> None:
        if is_owing:
            self._remember(owed=min(begin, self._memory.owed or begin))
        elif is_sweep:
            self._remember(owed=None)

    async def _read(self, request: ReadPage) -> PageRead | None:
        try:
            read: PageRead = await workflow.execute_activity_method(
                IngestActivities.read_page, request, **POLL
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._remember(trouble=_said(error))
            workflow.logger.error(
                "poll.degraded",
                extra={"source": self._start.source.value, "why": self._memory.trouble},
            )
            return None
        memory = self._memory
        newest = max(filter(None, (read.newest, memory.newest)), default=None)
        self._remember(
            trouble=None,
            seen=memory.seen + read.seen,
            matched=memory.matched + read.matched,
            rejected=memory.rejected + read.rejected,
            newest=newest,
        )
        return read

    def _drained(self, now: datetime, asked: int, sweep_pages: int | None) -> None:
        self._remember(cursor=now, drained_at=workflow.now(), turns=self._memory.turns + 1)
        if sweep_pages is not None:
            self._remember(swept_at=now, sweep_pages=sweep_pages)
        self._answered = asked

    async def _rest(self) -> None:
        if self._memory.paused is not None:
            await workflow.wait_condition(lambda: self._memory.paused is None or self._is_renewable)
        elif not self._rewound:
            pause = (
                self._start.interval
                if self._memory.owed is None
                else min(self._start.interval, OWED_EVERY)
            )
            await self._doze(TROUBLE_PAUSE if self._memory.trouble else pause)

    async def _doze(self, time: timedelta) -> None:
        if not self._called:
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._called, timeout=time, timeout_summary="until the next poll"
                )

    @property
    def _called(self) -> bool:
        return (
            self._asked > self._answered
            or self._rewound
            or self._memory.paused is not None
            or self._is_renewable
        )

    @property
    def _is_renewable(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished()

    @workflow.update(name=names.POLL_NOW)
    async def poll_now(self) -> PollerStatus:
        """Poll at once; answers when a poll that began after this call has been read to its end."""
        if self._memory.paused is not None:
            raise ApplicationError(f"the poller is paused ({self._memory.paused}): resume it first")
        self._asked += 1
        turn = self._asked
        await workflow.wait_condition(lambda: self._answered >= turn)
        return self.status()

    @workflow.update(name=names.PAUSE)
    def pause(self, reason: str) -> PollerStatus:
        """Stop after the page that is being read."""
        self._remember(paused=bounded(reason) or "no reason given")
        return self.status()

    @workflow.update(name=names.RESUME)
    def resume(self) -> PollerStatus:
        """Go on from where it stopped."""
        self._remember(paused=None)
        return self.status()

    @workflow.update(name=names.REWIND)
    def rewind(self, to: datetime) -> PollerStatus:
        """Read again from a moment on, beginning at once."""
        self._remember(cursor=to + self._start.lookback, swept_at=None)
        self._rewound = True
        return self.status()

    @rewind.validator
    def _rewindable(self, to: datetime) -> None:
        if to.tzinfo is None:
            raise ApplicationError("the moment needs an offset, such as 2026-11-22T08:00:00Z")
        if to > workflow.now():
            raise ApplicationError(f"{to.isoformat()} is in the future: rewind goes back")

    @workflow.query(name=names.STATUS)
    def status(self) -> PollerStatus:
        """Where the poller stands."""
        memory = self._memory
        state = (
            "paused"
            if memory.paused is not None
            else "degraded"
            if memory.trouble is not None
            else "polling"
        )
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
            detail=memory.paused or memory.trouble,
        )

    def _remember(self, **changes: object) -> None:
        self._memory = self._memory.model_copy(update=changes)


def _said(error: ActivityError) -> str:
    cause = error.cause
    kind = (
        cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
    )
    return bounded(f"{kind}: {cause}")
