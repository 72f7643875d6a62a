"""How the undos of the last weeks went, by kind of action: what people may expect of the next."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.temporal.fan_out import gather_limited
from clawback.temporal.undo_gateway import UndoneAction, UndoSummary
from clawback.temporal.undo_runs import UndoRun, UndoRuns

WINDOW: Final = timedelta(days=30)
_REFRESH: Final = timedelta(minutes=1)
_MOST_UNDOS: Final = 200
"""Undos that are counted, the newest of the window."""

log = structlog.get_logger("clawback")


@dataclass
class UndoRecord:
    """The results of ended undos, each read once from the server; no worker is asked.

    `actions` has the sums by the name of the action; None until they were read.
    """

    runs: UndoRuns
    now: Callable[[], datetime]
    actions: Mapping[str, UndoneAction] | None = None
    _results: dict[str, UndoSummary] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Read the results of undos that have ended since the last time.

        Raises:
            RPCError: the server does not answer.

        """
        since = self.now() - WINDOW
        ended = {
            run.number: run
            for run in await self.runs.list_recent(_MOST_UNDOS)
            if run.ended_at is not None and run.ended_at >= since
        }
        new = [run for number, run in ended.items() if number not in self._results]
        read = dict(await gather_limited(self._read_result, new))
        self._results = {
            number: result
            for number in ended
            if (result := self._results.get(number) or read.get(number)) is not None
        }
        total = UndoSummary.total(self._results.values())
        self.actions = {one.action: one for one in total.actions}

    @asynccontextmanager
    async def running(self, tasks: Supervisor) -> AsyncIterator[None]:
        """Read every minute until the block is left."""
        async with tasks.running(BackgroundTask.UNDO_RECORD, self._keep_reading):
            yield

    async def _read_result(self, run: UndoRun) -> tuple[str, UndoSummary | None]:
        reading = await self.runs.read(run)
        # A page that cannot be read now is read again in a minute.
        return run.number, None if reading.unanswered else reading.progress.undone

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - pages do without; the next read may be good
                log.warning("console.undos_unreadable", error_type=type(error).__name__)
            await asyncio.sleep(_REFRESH.total_seconds())
