"""Backtests that people started from a page: one at a time for each person, kept for an hour.

They run and are kept in this process. A console that restarts loses them, and another replica does
not know them: pages say so.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from clawback.console.jobs.child_job import JobFailed, run_in_child
from clawback.console.jobs.rule_jobs import BACKTEST_LIMITS, BacktestResult, run_backtest
from clawback.settings import Settings

KEPT_FOR: Final = timedelta(hours=1)
MOST_AT_ONCE: Final = 2
"""Each takes a core and up to 1.5 GiB; others wait for their turn."""
_MOST_KEPT: Final = 50


class OneAtATime(RuntimeError):
    """This person has a backtest that runs; `running` is it."""

    def __init__(self, running: "BacktestRun") -> None:
        super().__init__("one backtest at a time")
        self.running = running


@dataclass
class BacktestRun:
    """One backtest. It has a result, or a problem, once it has ended."""

    id: str
    rule: str
    since: timedelta
    by: str
    owner: str
    began: datetime
    progress: str = "waiting for its turn"
    ended: datetime | None = None
    result: BacktestResult | None = None
    problem: str = ""


class BacktestRuns:
    """The backtests of this process."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._settings, self._now = settings, now
        self._runs: dict[str, BacktestRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(MOST_AT_ONCE)

    def find(self, run_id: str) -> BacktestRun | None:
        """Find a backtest that is kept."""
        self._forget()
        return self._runs.get(run_id)

    def start(self, rule: str, since: timedelta, *, owner: str, by: str) -> BacktestRun:
        """Start a backtest for a person.

        Raises:
            OneAtATime: another one of this person runs.

        """
        self._forget()
        for one in self._runs.values():
            if one.owner == owner and one.ended is None:
                raise OneAtATime(one)
        run = BacktestRun(secrets.token_hex(8), rule, since, by, owner, self._now())
        self._runs[run.id] = run
        task = asyncio.create_task(self._run(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """End all backtests when the block is left."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, run: BacktestRun) -> None:
        def tell(text: str) -> None:
            run.progress = text

        try:
            async with self._turn:
                tell("loading the rules")
                run.result = await run_in_child(
                    BACKTEST_LIMITS, run_backtest, self._settings, run.rule, run.since, tell=tell
                )
        except JobFailed as error:
            run.problem = str(error)
        finally:
            run.ended = self._now()

    def _forget(self) -> None:
        ended = [one for one in self._runs.values() if one.ended is not None]
        old = [one for one in ended if self._now() - (one.ended or one.began) > KEPT_FOR]
        for one in [*old, *ended[: max(len(self._runs) - _MOST_KEPT, 0)]]:
            self._runs.pop(one.id, None)
