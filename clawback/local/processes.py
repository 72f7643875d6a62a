"""The processes of one installation: how each is started, and when it counts as ready.

Which of them are wanted is not decided here.
"""

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from clawback.app_files import module_command, worker_command
from clawback.local.child_process import ChildProcess, ProcessSpec
from clawback.local.temporal_server import TemporalServer, answers
from clawback.settings import Settings

WORKER_PATIENCE = 8.5
"""Seconds the worker has to finish what it is doing.

Together with the others' it stays below the ten that are promised.
"""
_PATIENCE = 0.7


@dataclass(frozen=True)
class ProcessPlan:
    """Processes in the order in which they start.

    They stop in reverse, so that the worker can finish against the others.
    """

    children: tuple[ChildProcess, ...]

    def __getitem__(self, name: str) -> ChildProcess:
        return next(child for child in self.children if child.spec.name == name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start them one after the other, and stop them all at the end, whatever happened.

        Raises:
            ChildFailed: one did not start.

        """
        try:
            for child in self.children:
                await child.start()
            yield
        finally:
            for child in reversed(self.children):
                await child.stop(WORKER_PATIENCE if child.spec.name == WORKER else _PATIENCE)

    async def failed(self) -> None:
        """Wait until one of them is given up.

        Raises:
            ChildFailed: it keeps dying.

        """
        waiting = [asyncio.create_task(child.failed()) for child in self.children]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in waiting:
                task.cancel()

    def kill(self) -> None:
        """End them all at once."""
        for child in self.children:
            child.kill()


TEMPORAL, SIMULATOR, WORKER = "Temporal server", "simulator", "worker"


def temporal_child(server: TemporalServer, settings: Settings, logs: Path) -> ChildProcess:
    """Build the embedded Temporal server's process."""
    return ChildProcess(
        ProcessSpec(
            TEMPORAL,
            server.command(),
            logs / "temporal.log",
            lambda: answers(settings, server.address),
        )
    )


def simulator_child(port: int, options: Sequence[str], logs: Path) -> ChildProcess:
    """Build the simulator's process; `options` are those of `clawback simulate`."""
    command = [*module_command("clawback.simulator"), "--port", str(port), *options]
    return ChildProcess(
        ProcessSpec(
            SIMULATOR,
            command,
            logs / "simulator.log",
            _serves(f"http://127.0.0.1:{port}/_sim/counts"),
        )
    )


def worker_child(environment: Mapping[str, str], metrics: str, logs: Path) -> ChildProcess:
    """Build the worker's process.

    `environment` is all it gets, `metrics` where it serves its health.
    """
    return ChildProcess(
        ProcessSpec(
            WORKER,
            worker_command(),
            logs / "worker.log",
            _serves(f"http://{metrics}/healthz"),
            environment,
        )
    )


def environment_with(changes: Mapping[str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Give our environment with changes, less the variables that start with any of `without`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (without and name.startswith(without))
    }
    return {**kept, **changes}


def fetch(url: str, data: bytes | None = None) -> bytes:
    """Read a page of a process of ours on this machine, past any proxy.

    Blocks for at most 30 s: call it from a thread.

    Raises:
        OSError: nobody answers, or the answer is not a success.

    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, data=data, timeout=30) as answer:
        body: bytes = answer.read()
    return body


def _serves(url: str) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            await asyncio.to_thread(fetch, url)
        except OSError:
            return False
        return True

    return ready
