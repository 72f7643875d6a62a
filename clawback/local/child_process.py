"""Supervises a process: process group, output file, restarts, death with the parent."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clawback.local import parent_death
from clawback.local.errors import ProcessFailed

START_TIMEOUT = 60.0
"""Seconds a process has to become ready."""

_STABLE_AFTER = 60.0  # a process that ran for so long is given all restarts again
_MAX_DEATHS = 10
_FIRST_DELAY, _MAX_DELAY = 0.5, 30.0
_MAX_LOG = 20 * 1024 * 1024
_MAX_QUOTED = 300
_PANICS = ("panic:", "fatal error:")


class ProcessState(StrEnum):
    """The state of a supervised process."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class ProcessSpec:
    """A process to supervise.

    `ready` is called until it returns True; `environment` replaces ours; output is appended to
    `log`. A process that dies before it was ever ready is started `start_attempts` times at most:
    once, if it would fail again.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    start_attempts: int = 1


class ChildProcess:
    """One process, kept running from `start` to `stop`."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.state = ProcessState.STOPPED
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._deaths = 0
        self._is_death_expected = False
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The pid of the running process, or None."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start the process, wait until it is ready, and supervise it from then on.

        Raises:
            ProcessFailed: it exited, or took too long; the text quotes its log.

        """
        for attempt in range(1, self.spec.start_attempts + 1):
            self.state = ProcessState.STARTING
            process = await self._spawn()
            if await self._wait_until_ready(process):
                break
            if attempt == self.spec.start_attempts:
                self.state = ProcessState.FAILED
                reason = last_log_line(self.spec.log, self._log_start)
                raise ProcessFailed(
                    f"the {self.spec.name} did not start: {reason}", process.returncode
                )
            await asyncio.sleep(_FIRST_DELAY)

        self.state = ProcessState.RUNNING
        name = f"supervise {self.spec.name}"
        self._supervisor = asyncio.create_task(self._supervise(process), name=name)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until the process is ready; False if it exited instead."""
        deadline = time.monotonic() + START_TIMEOUT
        while not await self.spec.ready():
            if process.returncode is not None:
                return False

            if time.monotonic() > deadline:
                await self.stop(1.0)
                raise ProcessFailed(
                    f"the {self.spec.name} is not ready after {START_TIMEOUT:.0f} s; "
                    f"see {self.spec.log}"
                )

            await asyncio.sleep(0.05)

        return True

    async def wait_failed(self) -> None:
        """Wait until the process is given up.

        Raises:
            ProcessFailed: it keeps dying.

        """
        if self._supervisor is not None:
            await self._supervisor

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - the time between two signals
        """Send SIGTERM, and after `timeout` seconds SIGKILL to the whole process group."""
        self.state = ProcessState.STOPPED
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError, ProcessFailed):
                await self._supervisor

        process = self._process
        if process is None:
            return

        try:
            self._signal(signal.SIGTERM)
            self.resume()  # a frozen process takes no SIGTERM
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), timeout)
        finally:
            # The rest of the group may outlive its leader.
            self._signal(signal.SIGKILL)

        await process.wait()

    def kill(self, *, expected: bool = False) -> None:
        """Kill the process group at once, as a crash would; it is restarted.

        An expected death does not count towards giving up.
        """
        self._is_death_expected = expected
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process group without ending it, as a suspended machine would."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process group go on."""
        self._signal(signal.SIGCONT)

    def rotate_log(self) -> None:
        """Move a log of more than 20 MiB to `<log>.1` and start a new one."""
        log = self.spec.log
        with suppress(FileNotFoundError):
            if log.stat().st_size > _MAX_LOG:
                shutil.copyfile(log, f"{log}.1")
                os.truncate(log, 0)  # the process appends, so it continues at the new end

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        self.rotate_log()
        wrapper = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid())]

        with self.spec.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *wrapper,
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.spec.environment),
                # Its own group: Ctrl-C reaches only us, our signals all that it has started.
                start_new_session=True,
            )

        return self._process

    async def _supervise(self, process: asyncio.subprocess.Process) -> None:
        while True:
            started = time.monotonic()
            await process.wait()
            was_stable = self._is_death_expected or time.monotonic() - started > _STABLE_AFTER
            self._deaths = 1 if was_stable else self._deaths + 1
            self._is_death_expected = False

            if self._deaths > _MAX_DEATHS:
                self.state = ProcessState.FAILED
                reason = last_log_line(self.spec.log, self._log_start)
                raise ProcessFailed(
                    f"the {self.spec.name} keeps dying: {reason}", process.returncode
                )

            self.state = ProcessState.RESTARTING
            await asyncio.sleep(min(_FIRST_DELAY * 2 ** (self._deaths - 1), _MAX_DELAY))
            process = await self._spawn()
            self.restarts += 1
            self.state = ProcessState.RUNNING

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def last_log_line(log: Path, start: int = 0) -> str:
    """Return the line of a log that says why its process exited, from the byte `start` on.

    That is the first line of a Go panic, else the last line: the `error` of a JSON event, or the
    line as it is.
    """
    lines = _read_lines(log, start)
    panic = next((line for line in lines if line.startswith(_PANICS)), None)
    line = panic or next((line for line in reversed(lines) if line.strip()), None)
    if line is None:
        return f"it exited without output; see {log}"

    try:
        event = json.loads(line)
    except ValueError:
        event = None

    if isinstance(event, dict):
        line = str(event.get("error") or event.get("event") or line)

    return line[:_MAX_QUOTED]


def _read_lines(log: Path, start: int) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(start if start <= log.stat().st_size else 0)  # it may have been rotated
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
