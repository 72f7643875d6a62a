"""Keeps the background tasks of a process running, and says so where one of them fails.

A task that ends by an error would leave its work undone for ever while everything looks well. It is
started again, and the process is unhealthy until the task has run for a while (ADR 74).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import structlog

from clawback.model.texts import plural

STEADY = timedelta(minutes=1)
"""How long a task must run after a failure until it counts as healthy."""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
log = structlog.get_logger("clawback")


class BackgroundTask(StrEnum):
    """The background tasks of worker and console."""

    RULES = "rules"
    NEVER_BLOCK = "never_block"
    KILL_SWITCH = "kill_switch"
    EVENT_LOOP = "event_loop"
    SUSPENSION = "suspension"
    AUDIT = "audit"
    SHIPPING = "shipping"
    REFUSALS = "refusals"
    PROGRESS = "progress"
    VERSIONS = "versions"
    CHANNELS = "channels"
    POLLS = "polls"
    HELD_CASES = "held_cases"
    SECRETS = "secrets"
    ACCESS = "access"
    CASES = "cases"
    CONTAINMENT = "containment"
    UNDOS = "undos"
    UNDO_RECORD = "undo_record"


class EndedByItself(RuntimeError):
    """A task returned, or was cancelled by nobody, although it should run on."""


@dataclass
class _Failing:
    """A task that has failed; `started` is when it was started again, None if it waits for that."""

    error: str
    failures: int = 1
    started: float | None = None


class Supervisor:
    """The background tasks of one process. Called, it says which of them fail, if any."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._failing: dict[BackgroundTask, _Failing] = {}

    def __call__(self) -> str | None:
        """Return what is wrong, or None. May be called from another thread."""
        found = [
            f"the background task `{task}` failed {plural(one.failures, 'time')} ({one.error}); "
            "see the log"
            for task, one in list(self._failing.items())
            if not self._is_steady(one)
        ]
        return "; ".join(found) or None

    @asynccontextmanager
    async def running(
        self, task: BackgroundTask, work: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[None]:
        """Keep work running until the block is left; it has stopped then."""
        keeping = asyncio.create_task(self.keep(task, work), name=task)
        try:
            yield
        finally:
            keeping.cancel()
            # Unlike `await`, this tells our own cancellation from that of the task.
            await asyncio.wait({keeping})

    async def keep(self, task: BackgroundTask, work: Callable[[], Awaitable[object]]) -> None:
        """Run work until cancelled: again, after a growing pause, whenever it ends."""
        pause = FIRST_PAUSE
        while True:
            began = self._clock()
            error = await _run(work)
            if self._clock() - began >= STEADY.total_seconds():
                pause = FIRST_PAUSE
                self._failing.pop(task, None)

            self._note(task, error)
            await self._sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)
            self._failing[task].started = self._clock()

    def _note(self, task: BackgroundTask, error: Exception) -> None:
        known = self._failing.get(task)
        failures = known.failures + 1 if known else 1
        self._failing[task] = _Failing(type(error).__name__, failures)
        log.error("task.failed", task=task, failures=failures, exc_info=error)

    def _is_steady(self, one: _Failing) -> bool:
        return one.started is not None and self._clock() - one.started >= STEADY.total_seconds()


async def _run(work: Callable[[], Awaitable[object]]) -> Exception:
    """Run work once; return how it ended."""
    try:
        await work()
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is None or current.cancelling():
            raise
        return EndedByItself("it was cancelled by nobody")
    except Exception as error:  # noqa: BLE001 - whatever it is, the task must go on
        return error
    return EndedByItself("it returned")
