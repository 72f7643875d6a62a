"""Background tasks: one that fails is started again, and the process says so until it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from clawback.telemetry import metrics
from clawback.telemetry.supervisor import STEADY, BackgroundTask, Supervisor
from tests.telemetry.log_capture import captured_logs, log_lines

WATCH = "clawback_worker_stuck"


class Clock:
    """A clock that sleeping moves on, and that remembers the pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


async def fail() -> None:
    """A look at a folder that is gone."""
    raise OSError(40, "Too many levels of symbolic links")


async def end() -> None:
    """A loop that somebody left by mistake."""


async def cancel_itself() -> None:
    """A library that raises what only a caller should."""
    raise asyncio.CancelledError


class Work:
    """Work that fails a few times and then runs on."""

    def __init__(self, *failures: Callable[[], Awaitable[None]]) -> None:
        self._failures = list(failures)
        self.runs_on = asyncio.Event()

    async def __call__(self) -> None:
        if self._failures:
            await self._failures.pop(0)()
            return
        self.runs_on.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("failure", [fail, end, cancel_itself])
async def test_a_task_that_ends_is_started_again(failure: Callable[[], Awaitable[None]]) -> None:
    """By an error, by a return, or by a cancellation that nobody asked for."""
    clock, work = Clock(), Work(failure)
    supervisor = Supervisor(clock, clock.sleep)
    async with supervisor.running(BackgroundTask.RULES, work), asyncio.timeout(20):
        await work.runs_on.wait()
        assert "the background task `rules` failed 1 time" in (supervisor() or "")
        clock.now += STEADY.total_seconds()
        assert supervisor() is None


async def test_whoever_is_cancelled_while_a_task_stops_stays_cancelled() -> None:
    """A worker that is told to stop twice does not go on."""
    begun = asyncio.Event()

    async def stop_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            begun.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def run() -> None:
        async with Supervisor().running(BackgroundTask.CASES, stop_slowly):
            await asyncio.sleep(0)
        raise AssertionError

    running = asyncio.create_task(run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_pauses_grow_to_a_minute() -> None:
    """What fails at once is not tried in a busy loop, and never given up."""
    clock, work = Clock(), Work(*[fail] * 9)
    supervisor = Supervisor(clock, clock.sleep)
    async with supervisor.running(BackgroundTask.NEVER_BLOCK, work), asyncio.timeout(20):
        await work.runs_on.wait()
    assert clock.pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert "failed 9 times (OSError)" in (supervisor() or "")


async def test_a_steady_run_forgets_earlier_failures() -> None:
    """A task that fails once a day starts again within a second each time."""
    clock = Clock()
    release = asyncio.Event()

    async def run_for_a_day() -> None:
        clock.now += timedelta(days=1).total_seconds()
        await fail()

    async def wait() -> None:
        release.set()
        await asyncio.Event().wait()

    supervisor = Supervisor(clock, clock.sleep)
    async with (
        supervisor.running(BackgroundTask.AUDIT, Work(fail, run_for_a_day, wait)),
        asyncio.timeout(20),
    ):
        await release.wait()
    assert clock.pauses == [1, 1]
    assert "failed 1 time (OSError)" in (supervisor() or "")


async def test_a_failing_task_is_in_the_metrics_and_the_log() -> None:
    """The alert for stuck workers fires, and the log has the error with its place."""
    clock, work = Clock(), Work(fail)
    supervisor = Supervisor(clock, clock.sleep)
    metrics.show_failed_tasks(supervisor)
    try:
        with captured_logs() as stream:
            async with supervisor.running(BackgroundTask.KILL_SWITCH, work), asyncio.timeout(20):
                await work.runs_on.wait()
        labels = {"reason": "task_failed"}
        assert metrics.REGISTRY.get_sample_value(WATCH, labels) == 1
        clock.now += STEADY.total_seconds()
        assert metrics.REGISTRY.get_sample_value(WATCH, labels) == 0
    finally:
        metrics.show_failed_tasks(lambda: None)
    (line,) = log_lines(stream)
    assert (line["event"], line["task"], line["failures"]) == ("task.failed", "kill_switch", 1)
    assert "in fail" in line["exception"]
