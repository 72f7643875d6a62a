"""Jobs in processes of their own: result, progress, limits of time and memory."""

import asyncio
import os
import time
from typing import Any

import pytest

from clawback.console.jobs.child_job import JobFailed, JobLimits, Report, run_in_child

LIMITS = JobLimits(seconds=60, mebibytes=512)


def add(report: Report, one: int, other: int) -> tuple[int, int]:
    report("adding")
    return one + other, os.getpid()


def hang(report: Report) -> None:
    report("hanging")
    while True:
        time.monotonic()


def fill(_: Report) -> int:
    return len(b"x" * 1024 * 1024 * 1024)


def fail(_: Report, kind: type[Exception]) -> None:
    raise kind("the text may quote mail")


def vanish(_: Report) -> None:
    os._exit(3)


async def test_a_job_runs_elsewhere_and_reports() -> None:
    """The result comes from another process, what it reports in between is told."""
    told: list[Any] = []
    total, process = await run_in_child(LIMITS, add, 1, 2, tell=told.append)
    assert total == 3
    assert process != os.getpid()
    assert told == ["adding"]


async def test_a_job_that_takes_too_long_is_ended() -> None:
    """The error names the limit."""
    with pytest.raises(JobFailed, match="longer than 3 s"):
        await run_in_child(JobLimits(seconds=3), hang)


async def test_a_job_that_takes_too_much_memory_is_ended() -> None:
    """The error names the limit, and the console is well."""
    with pytest.raises(JobFailed, match="more than 512 MiB"):
        await run_in_child(LIMITS, fill)


@pytest.mark.parametrize(
    ("kind", "text"), [(ValueError, "failed: ValueError"), (JobFailed, "may quote")]
)
async def test_an_error_is_told(kind: type[Exception], text: str) -> None:
    """Only errors that are written for people show their text."""
    with pytest.raises(JobFailed, match=text):
        await run_in_child(LIMITS, fail, kind)


async def test_a_process_that_vanishes_is_an_error() -> None:
    """Nobody waits for it until its time is up."""
    with pytest.raises(JobFailed, match="ended early"):
        await run_in_child(LIMITS, vanish)


async def test_cancelling_ends_the_process() -> None:
    """A console that stops leaves no job behind."""
    began = asyncio.Event()
    task = asyncio.create_task(run_in_child(LIMITS, hang, tell=lambda _: began.set()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
