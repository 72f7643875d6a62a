"""Supervised processes, on real ones: start, restart, stop, death with the parent."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawback.local import ChildProcess, ProcessFailed, ProcessSpec, ProcessState, child_process
from tests.waiting import until


def alive(pid: int) -> bool:
    """Whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def child(tmp_path: Path, program: str, attempts: int = 1) -> ChildProcess:
    """Build a child that runs a Python program; it is ready once the file `ready` exists."""
    flag = tmp_path / "ready"

    async def ready() -> bool:
        return flag.exists()

    return ChildProcess(
        ProcessSpec(
            "probe",
            [sys.executable, "-c", program, str(flag)],
            tmp_path / "logs" / "probe.log",
            ready,
            start_attempts=attempts,
        )
    )


@asynccontextmanager
async def started(one: ChildProcess) -> AsyncIterator[ChildProcess]:
    """Run a child for the length of a test."""
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


async def test_stop_sends_sigterm_then_sigkill(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed after the timeout, and not restarted."""
    async with started(child(tmp_path, STUBBORN)) as one:
        pid = one.pid
        assert pid is not None
        began = time.monotonic()
        await one.stop(0.5)
        assert 0.4 < time.monotonic() - began < 5
        assert not alive(pid)
        assert (one.state, one.pid) == (ProcessState.STOPPED, None)


async def test_a_process_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    """A process that exits before it is ready fails the start with its last log line."""
    with pytest.raises(ProcessFailed, match="the probe did not start: no rules in rules/"):
        await child(
            tmp_path, """print('{"event": "worker.not_started", "error": "no rules in rules/"}')"""
        ).start()


async def test_a_panic_is_quoted_instead_of_its_last_stack_frame(tmp_path: Path) -> None:
    """Of the last start, not of an earlier one."""
    panic = "print('panic: port {} is in use\\n\\ngoroutine 1:\\n\\tmain.go:18 +0x8e')"
    for port in (7, 8):
        with pytest.raises(ProcessFailed, match=f"the probe did not start: panic: port {port} is"):
            await child(tmp_path, panic.format(port)).start()


async def test_a_process_may_have_several_attempts_to_start(tmp_path: Path) -> None:
    """One that loses a race for a port starts at its second attempt."""
    racing = (
        "import sys, time, pathlib; tried = pathlib.Path(sys.argv[1] + '.tried')\n"
        "if not tried.exists(): tried.touch(); sys.exit('the port is in use')\n"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    async with started(child(tmp_path, racing, attempts=2)) as one:
        assert one.state is ProcessState.RUNNING


async def test_a_process_that_keeps_dying_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error quotes the last log line, and the process stays down."""
    monkeypatch.setattr(child_process, "_FIRST_DELAY", 0.01)
    monkeypatch.setattr(child_process, "_MAX_DELAY", 0.01)
    monkeypatch.setattr(child_process, "_MAX_DEATHS", 3)
    async with started(child(tmp_path, DYING)) as one:
        one.kill()
        with pytest.raises(ProcessFailed, match="keeps dying: boom"):
            await one.wait_failed()
        assert (one.state, one.pid, one.restarts) == (ProcessState.FAILED, None, 3)


async def test_a_process_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even with SIGKILL, so that the parent cannot clean up."""
    program = (
        "import asyncio, sys, pathlib; from tests.local.test_children import *\n"
        "async def run():\n"
        "    one = child(pathlib.Path(sys.argv[1]), SLEEP)\n"
        "    await one.start(); print(one.pid, flush=True); await asyncio.sleep(60)\n"
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


async def test_a_log_that_grows_too_large_is_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moves to `<log>.1`, and the process keeps writing to the same file."""
    monkeypatch.setattr(child_process, "_MAX_LOG", 10)
    program = (
        "import sys, time, pathlib; print('x' * 40, flush=True)\n"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    async with started(child(tmp_path, program)) as one:
        one.rotate_log()
        assert one.spec.log.read_bytes() == b""
        assert (tmp_path / "logs" / "probe.log.1").read_text() == "x" * 40 + "\n"
