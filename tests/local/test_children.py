"""Processes that are kept running: started, restarted, stopped, and gone when their parent is gone.

Real processes all.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawback.local import ChildFailed, ChildProcess, ProcessSpec, ProcessState, child_process
from tests.waiting import until


def alive(pid: int) -> bool:
    """Whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def child(tmp_path: Path, program: str) -> ChildProcess:
    """A child that runs a Python program; it is ready once it has made the file `ready`."""
    flag = tmp_path / "ready"

    async def ready() -> bool:
        return flag.exists()

    return ChildProcess(
        ProcessSpec(
            "probe",
            [sys.executable, "-c", program, str(flag)],
            tmp_path / "logs" / "probe.log",
            ready,
        )
    )


@asynccontextmanager
async def started(one: ChildProcess) -> AsyncIterator[ChildProcess]:
    """A child that runs for the length of a test."""
    await one.start()
    try:
        yield one
    finally:
        await one.stop(2.0)


SLEEP = "import sys, time, pathlib; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
DYING = (
    "import sys, time, pathlib; flag = pathlib.Path(sys.argv[1])\n"
    "if flag.exists(): sys.exit('boom')\n"
    "flag.touch(); time.sleep(60)"
)
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


async def test_a_dead_process_is_started_again(tmp_path: Path) -> None:
    """A process that is killed comes back with another pid, and the restart is counted."""
    async with started(child(tmp_path, SLEEP)) as one:
        first = one.pid
        one.kill()
        await until(
            lambda: one.restarts == 1 and one.pid is not None and one.state is ProcessState.RUNNING
        )
        assert one.pid != first


async def test_stopping_asks_first_and_kills_after(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is gone after the patience, and not restarted."""
    async with started(child(tmp_path, STUBBORN)) as one:
        pid = one.pid
        assert pid is not None
        began = time.monotonic()
        await one.stop(0.5)
        assert 0.4 < time.monotonic() - began < 5
        assert not alive(pid)
        assert (one.state, one.pid) == (ProcessState.STOPPED, None)


async def test_a_process_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    """A process that ends before it is ready fails the start with what it said last."""
    with pytest.raises(ChildFailed, match="the probe did not start: no rules in rules/"):
        await child(
            tmp_path, """print('{"event": "worker.not_started", "error": "no rules in rules/"}')"""
        ).start()


async def test_a_process_that_keeps_dying_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies over and over is given up, with what it said last, and stays down."""
    monkeypatch.setattr(child_process, "_FIRST_DELAY", 0.01)
    monkeypatch.setattr(child_process, "_LONGEST_DELAY", 0.01)
    monkeypatch.setattr(child_process, "_DEATHS", 3)
    async with started(child(tmp_path, DYING)) as one:
        one.kill()
        with pytest.raises(ChildFailed, match="keeps dying: boom"):
            await one.failed()
        assert (one.state, one.pid, one.restarts) == (ProcessState.FAILED, None, 3)


async def test_a_process_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """When the parent is killed with SIGKILL, so that it can clean nothing up, its child is gone too."""
    program = (
        "import asyncio, sys, pathlib; from tests.local.test_children import *\n"
        "async def run():\n"
        "    one = child(pathlib.Path(sys.argv[1]), SLEEP); await one.start(); print(one.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(run())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.communicate()
    await until(lambda: not alive(pid))


async def test_a_log_that_grows_too_large_is_turned_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its limit a log moves to `<log>.1` while the process goes on writing to the same file."""
    monkeypatch.setattr(child_process, "_LARGEST_LOG", 10)
    program = "import sys, time, pathlib; print('x' * 40, flush=True); pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    async with started(child(tmp_path, program)) as one:
        one.trim_log()
        assert one.spec.log.read_bytes() == b""
        assert (tmp_path / "logs" / "probe.log.1").read_text() == "x" * 40 + "\n"
