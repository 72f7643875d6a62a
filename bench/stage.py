"""Starts the processes of a benchmark as production starts them.

These are a Temporal dev server, the simulator on a real port, and `python -m worker`. Each stage
has its own folder, ports and server, so that no contender profits from what another left.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client

from clawback.cases import CaseState
from clawback.local import (
    ChildProcess,
    ProcessGroup,
    TemporalServer,
    environment_with,
    fetch,
    free_port,
    simulator_child,
    temporal_child,
    worker_child,
)
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.rehearsal.counters import sum_actions
from clawback.settings import Settings
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.client import connect
from clawback.temporal.key_ring import create_key_file
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

T = TypeVar("T")
RULES = Path(__file__).parents[1] / "rules"
PATIENCE = 1800.0
FOREIGN = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_", "PYTHONDONTWRITEBYTECODE")
"""Prefixes of settings that no benchmark takes from whoever runs it. With the last one, each
process compiles all modules when it starts, which an installed one never does."""


@dataclass(frozen=True)
class Witness:
    """Controls a running simulator: injects mail, and reads its ledger and request log."""

    port: int
    child: ChildProcess

    @property
    def api(self) -> str:
        """What a client takes for the base URL."""
        return f"http://127.0.0.1:{self.port}/client/v4"

    async def inject(self, lines: Iterable[dict[str, Any]], *, stamp: bool = False) -> datetime:
        """Inject mail, all at once; return the moment from which it can be found."""
        body = "\n".join(map(json.dumps, lines)).encode()
        await self._asked("messages" + ("?stamp=now" if stamp else ""), body)
        return datetime.now(UTC)

    async def counts(self) -> dict[str, Any]:
        """How many requests and changes there were."""
        return dict(await self._asked("counts"))

    async def changes(self) -> list[dict[str, Any]]:
        """The ledger, in order."""
        return list(await self._asked("ledger"))

    async def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Every API request after that number, in order."""
        return list(await self._asked(f"requests?since={since}"))

    async def reset(self) -> None:
        """Remove all mail, policies, and what was recorded."""
        await self._asked("reset", b"")

    async def _asked(self, what: str, body: bytes | None = None) -> Any:
        return json.loads(
            await asyncio.to_thread(fetch, f"http://127.0.0.1:{self.port}/_sim/{what}", body)
        )


@dataclass(frozen=True)
class Server:
    """A running Temporal dev server."""

    address: str
    child: ChildProcess
    client: Client
    metrics_port: int
    database: Path
    keys: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a command that is to use this server."""
        return {
            "TEMPORAL_ADDRESS": self.address,
            "CLAWBACK_ENCRYPTION_KEY_FILE": str(self.keys),
        }

    @property
    def database_size(self) -> int:
        """The bytes of the database, with its write-ahead log."""
        files = self.database.parent.glob(f"{self.database.name}*")
        return sum(file.stat().st_size for file in files)

    async def count_actions(self) -> int:
        """The billable actions (as in Temporal Cloud) that it has counted."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        page = (await asyncio.to_thread(fetch, url)).decode()
        return sum_actions(page)


@dataclass(frozen=True)
class Responder:
    """A running clawback: server, simulator and worker; `metrics` and `state` are the worker's."""

    server: Server
    witness: Witness
    worker: ChildProcess
    metrics: str
    state: Path

    @property
    def cases(self) -> CaseGateway:
        """Typed access to its cases."""
        return CaseGateway(self.server.client)

    @property
    def pollers(self) -> PollerGateway:
        """Typed access to its pollers."""
        return PollerGateway(self.server.client)


@asynccontextmanager
async def simulator(rate_limit: str) -> AsyncIterator[Witness]:
    """Run a simulator of its own."""
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        port = free_port()
        child = simulator_child(port, ["--rate-limit", rate_limit], Path(folder))
        async with ProcessGroup((child,)).running():
            yield Witness(port, child)


@asynccontextmanager
async def temporal(*dynamic: str) -> AsyncIterator[Server]:
    """Run a Temporal server of its own, with the flags of production's embedded one.

    `dynamic` are values of its dynamic configuration beside those.
    """
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        create_key_file(keys := Path(folder) / "keys")
        settings = Settings(state=Path(folder), encryption_key_file=keys)
        server = TemporalServer(Path(folder) / "temporal.db", free_port())
        child = temporal_child(server, settings, Path(folder))
        more = [word for value in dynamic for word in ("--dynamic-config-value", value)]
        child.spec = replace(child.spec, command=[*child.spec.command, *more])
        async with ProcessGroup((child,)).running():
            client = await connect(settings, address=server.address)
            yield Server(server.address, child, client, server.metrics_port, server.database, keys)


@asynccontextmanager
async def clawback(
    rate_limit: str, interval: timedelta, guard: str = "unlimited", rules: Path = RULES
) -> AsyncIterator[Responder]:
    """Run clawback, by default with the shipped rules, and wait until its pollers have polled.

    `guard` is `on` where its budgets are to hold.
    """
    async with temporal() as server, simulator(rate_limit) as witness:
        with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
            metrics = f"127.0.0.1:{free_port()}"
            worker = worker_child(
                {
                    **_environment(server, witness, Path(folder), metrics, interval),
                    "CLAWBACK_GUARD": guard,
                    "CLAWBACK_RULES": str(rules),
                },
                metrics,
                Path(folder),
            )
            async with ProcessGroup((worker,)).running():
                responder = Responder(server, witness, worker, metrics, Path(folder))
                await eventually(lambda: _polled(responder.pollers))
                yield responder


async def eventually(
    question: Callable[[], Awaitable[T | None]], patience: float = PATIENCE, every: float = 0.1
) -> T:
    """Ask until there is an answer.

    Raises:
        TimeoutError: there was none in `patience` seconds.

    """
    async with asyncio.timeout(patience):
        while (answer := await question()) is None:  # noqa: ASYNC110 - what is asked is another process
            await asyncio.sleep(every)
    return answer


async def settled(cases: CaseGateway) -> bool | None:
    """Say whether every case has done all it had to do; None while one has not."""
    for line in await cases.find():
        memory = (await cases.status(line.id)).snapshot
        if memory is None or memory.state is CaseState.RESPONDING or memory.pending_records:
            return None
    return True


def _environment(
    server: Server, witness: Witness, folder: Path, metrics: str, interval: timedelta
) -> dict[str, str]:
    changes = {
        **server.environment,
        "CLAWBACK_API_URL": witness.api,
        "CLAWBACK_STATE": str(folder),
        "CLAWBACK_METRICS": metrics,
        "CLAWBACK_INTERVAL": format_duration(interval),
        "CLAWBACK_LOG_FORMAT": "json",
    }
    return environment_with(changes, without=FOREIGN)


async def _polled(pollers: PollerGateway) -> bool | None:
    try:
        statuses = [await pollers.status(source) for source in EventKind]
    except NoSuchWorkflow:
        return None
    return all(status.drained_at for status in statuses) or None
