"""The processes of one installation: how each is started, and when it is ready.

`installation` decides which of them run.
"""

import asyncio
import os
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from clawback.app_files import module_command, worker_command
from clawback.local.child_process import ChildProcess, ProcessSpec
from clawback.local.temporal_server import TemporalServer, is_ready
from clawback.settings import Settings

TEMPORAL, SIMULATOR, WORKER, CONSOLE = "Temporal server", "simulator", "worker", "console"

WORKER_STOP_TIMEOUT = 8.5
"""Seconds the worker has to finish its activities; all processes together stop within ten."""

_NEEDED = frozenset({"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "GOGC"})
_NEEDED_PREFIXES = ("LC_", "LD_", "PYTHON", "MALLOC_")
"""What server and simulator need. Any other variable may be a secret: channels name their own."""
_STOP_TIMEOUT = 0.7
FETCH_TIMEOUT = 30.0


@dataclass(frozen=True)
class ProcessGroup:
    """Processes in start order; they stop in reverse, so that the worker can finish its work."""

    children: tuple[ChildProcess, ...]

    def __getitem__(self, name: str) -> ChildProcess:
        return next(child for child in self.children if child.spec.name == name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start them one after the other; stop them all at the end, whatever happens.

        Raises:
            ProcessFailed: one did not start.

        """
        async with AsyncExitStack() as stack:
            for child in self.children:
                is_worker = child.spec.name.startswith(WORKER)
                timeout = WORKER_STOP_TIMEOUT if is_worker else _STOP_TIMEOUT
                stack.push_async_callback(child.stop, timeout)
                await child.start()
            yield

    async def wait_failed(self) -> None:
        """Wait until one of them is given up.

        Raises:
            ProcessFailed: it keeps dying.

        """
        waiting = [asyncio.create_task(child.wait_failed()) for child in self.children]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in waiting:
                task.cancel()

    def kill(self) -> None:
        """Kill them all at once."""
        for child in self.children:
            child.kill()


def temporal_child(server: TemporalServer, settings: Settings, logs: Path) -> ChildProcess:
    """Build the process of the embedded Temporal server."""

    async def responds() -> bool:
        return await is_ready(settings, server.address)

    spec = ProcessSpec(
        TEMPORAL,
        server.command(),
        logs / "temporal.log",
        responds,
        environment=environment_without_secrets(),
        # It chooses ports for its inner services, which somebody else may take before it does.
        start_attempts=3,
    )
    return ChildProcess(spec)


def simulator_child(port: int, options: Sequence[str], logs: Path) -> ChildProcess:
    """Build the process of the simulator; `options` are those of `clawback simulate`."""
    command = [*module_command("clawback.simulator"), "--port", str(port), *options]
    is_ready = _responds(f"http://127.0.0.1:{port}/_sim/counts")
    environment = environment_without_secrets()
    return ChildProcess(
        ProcessSpec(SIMULATOR, command, logs / "simulator.log", is_ready, environment)
    )


def worker_child(
    environment: Mapping[str, str], metrics: str, logs: Path, name: str = WORKER
) -> ChildProcess:
    """Build the process of a worker.

    `environment` is its whole environment; it serves `/healthz` at `metrics` (host:port). `name`
    starts with `worker`.
    """
    is_ready = _responds(f"http://{metrics}/healthz")
    log = logs / f"{name.replace(' ', '-')}.log"
    return ChildProcess(ProcessSpec(name, worker_command(), log, is_ready, environment))


def console_child(environment: Mapping[str, str], address: str, logs: Path) -> ChildProcess:
    """Build the process of the console, which listens at `address` (host:port)."""
    is_ready = _responds(f"http://{address}/healthz")
    command = [*module_command("clawback"), "console"]
    return ChildProcess(ProcessSpec(CONSOLE, command, logs / "console.log", is_ready, environment))


def environment_without_secrets() -> dict[str, str]:
    """Return of our environment what a process needs that is given no secret."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)
    }


def environment_with(changes: Mapping[str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return our environment with changes, without variables that start with any of `without`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (without and name.startswith(without))
    }
    return {**kept, **changes}


def fetch(url: str, data: bytes | None = None, timeout: float = FETCH_TIMEOUT) -> bytes:
    """Read a page of a local process, bypassing any proxy; POST if there is `data`.

    Blocks for at most `timeout` seconds: call it from a thread.

    Raises:
        OSError: no response, or not a success.

    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, data=data, timeout=timeout) as response:
            body: bytes = response.read()
    except HTTPException as error:
        # Whoever is killed in the middle of a response leaves half of it, and that is no OSError.
        raise ConnectionError(f"{url}: {type(error).__name__}") from error
    return body


def _responds(url: str) -> Callable[[], Awaitable[bool]]:
    async def is_ready() -> bool:
        try:
            await asyncio.to_thread(fetch, url)
        except OSError:
            return False
        return True

    return is_ready
