"""Processes that are kept running.

Each in its own group, its output in a file, restarted when it dies, gone when we are gone.

Whether a process may die is not decided here: whoever stops one calls `stop`.
"""

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
from clawback.local.errors import ChildFailed

STARTING_TIME = 60.0
"""Seconds a process has to become ready."""
_STEADY = 60.0
_DEATHS = 10
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_LARGEST_LOG = 20 * 1024 * 1024
_MAX_QUOTED = 300


class ProcessState(StrEnum):
    """Where a process stands."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class ProcessSpec:
    """A process to keep running.

    `ready` is asked until it says yes; `environment` replaces ours; output is appended to `log`.
    One that dies before it was ever ready is not restarted: what is wrong with it would be wrong
    again.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class ChildProcess:
    """One process that is kept running from `start` to `stop`."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.state = ProcessState.STOPPED
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._deaths = 0
        self._excused = False

    @property
    def pid(self) -> int | None:
        """The process that runs now; None while there is none."""
        return (
            self._process.pid
            if self._process is not None and self._process.returncode is None
            else None
        )

    async def start(self) -> None:
        """Start the process, wait until it is ready, and keep it running from then on.

        Raises:
            ChildFailed: it ended, or took too long; the text quotes its last line.

        """
        self.state = ProcessState.STARTING
        process = await self._spawn()
        deadline = time.monotonic() + STARTING_TIME
        while not await self.spec.ready():
            if process.returncode is not None:
                self.state = ProcessState.FAILED
                raise ChildFailed(
                    f"the {self.spec.name} did not start: {last_log_line(self.spec.log)}",
                    process.returncode,
                )
            if time.monotonic() > deadline:
                await self.stop(1.0)
                raise ChildFailed(
                    f"the {self.spec.name} is not ready after {STARTING_TIME:.0f} s; its log is {self.spec.log}"
                )
            await asyncio.sleep(0.05)
        self.state = ProcessState.RUNNING
        self._keeper = asyncio.create_task(self._keep(process), name=f"keep {self.spec.name}")

    async def failed(self) -> None:
        """Wait until the process is given up.

        Raises:
            ChildFailed: it keeps dying.

        """
        if self._keeper is not None:
            await self._keeper

    async def stop(self, patience: float) -> None:
        """End the process: SIGTERM, and SIGKILL to its whole group after `patience` seconds."""
        self.state = ProcessState.STOPPED
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError, ChildFailed):
                await self._keeper
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
        self._signal(signal.SIGKILL)
        await process.wait()

    def kill(self, *, excused: bool = False) -> None:
        """End the process and its group at once, as a crash would; it is restarted.

        An excused death is not held against it.
        """
        self._excused = excused
        self._signal(signal.SIGKILL)

    def trim_log(self) -> None:
        """Keep the log from growing for ever.

        Beyond 20 MiB it goes to `<log>.1` and starts anew.
        """
        log = self.spec.log
        with suppress(FileNotFoundError):
            if log.stat().st_size > _LARGEST_LOG:
                shutil.copyfile(log, f"{log}.1")
                os.truncate(log, 0)  # the process appends, so it goes on at the new end

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        self.trim_log()
        tied = [
            sys.executable,
            "-I",
            "-S",
            parent_death.__file__,
            str(os.getpid()),
            *self.spec.command,
        ]
        with self.spec.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tied,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.spec.environment),
                start_new_session=True,
            )
        return self._process

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        while True:
            since = time.monotonic()
            await process.wait()
            fresh = self._excused or time.monotonic() - since > _STEADY
            self._deaths, self._excused = 1 if fresh else self._deaths + 1, False
            if self._deaths > _DEATHS:
                self.state = ProcessState.FAILED
                raise ChildFailed(
                    f"the {self.spec.name} keeps dying: {last_log_line(self.spec.log)}",
                    process.returncode,
                )
            self.state = ProcessState.RESTARTING
            await asyncio.sleep(min(_FIRST_DELAY * 2 ** (self._deaths - 1), _LONGEST_DELAY))
            process = await self._spawn()
            self.restarts += 1
            self.state = ProcessState.RUNNING

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def last_log_line(log: Path) -> str:
    """Return the last line of a log: the `error` of a JSON event, or the line as it is."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    line = next((line for line in reversed(lines) if line.strip()), None)
    if line is None:
        return f"it exited without output; see {log}"

    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict):
        line = str(event.get("error") or event.get("event") or line)
    return line[:_MAX_QUOTED]
