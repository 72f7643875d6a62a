"""The processes of a rehearsal: Temporal server, simulator and workers, in their own folder."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from clawback.audit import default_key_file
from clawback.cases import CaseState
from clawback.local import (
    ChildProcess,
    ProcessGroup,
    environment_with,
    fetch,
    free_port,
    run_in_daemon_thread,
    simulator_child,
    worker_child,
)
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.rehearsal.counters import sum_counters
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.server import EmbeddedServer, NamedServer, RehearsalServer
from clawback.rehearsal.waiting import describe_wait, is_idle
from clawback.settings import Settings
from clawback.simulator import Kind, Line
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.key_ring import create_key_file
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

SETTINGS = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_")
"""Prefixes of the environment variables that a rehearsal ignores."""
SERVER = "Temporal server"
ACTIONS = "temporal_actions"
"""The billable actions, among the counters of the server."""
_QUERY_TIMEOUT = 5.0
_IDLE_TIMEOUT = 60.0
"""Of 20,000 cases each is described."""
_METRICS_TIMEOUT = 2.0


class RehearsalEnvironment:
    """Runs the processes of one rehearsal and observes them."""

    def __init__(
        self,
        plan: Rehearsal,
        folder: Path,
        corpora: Sequence[Path],
        domains: Sequence[str],
        history: timedelta,
    ) -> None:
        create_key_file(keys := folder / "keys")
        # The mail is synthetic, and the key is of this run alone.
        self._settings = Settings.model_construct(encryption_key_file=keys, temporal_tls="optional")
        self._simulator_port = free_port()
        self.audit = folder / "audit.jsonl"
        self.has_guard = plan.guard
        self.logs = folder / "logs"
        self._server = _server_of(plan, self._settings, folder, self.logs)
        options = ["--rate-limit", plan.rate_limit, "--faults", plan.faults]
        options += ["--seed", str(plan.seed)]
        options += [word for path in corpora for word in ("--corpus", str(path))]
        options += [word for domain in domains for word in ("--domain", domain)]
        simulator = simulator_child(self._simulator_port, options, self.logs)
        self._services = ProcessGroup((*self._server.children, simulator))

        self._metrics = [f"127.0.0.1:{free_port()}" for _ in range(plan.workers)]
        settings = self._worker_settings(plan, folder, history)
        self.workers: tuple[ChildProcess, ...] = tuple(
            worker_child(
                environment_with({**settings, "CLAWBACK_METRICS": metrics}, without=SETTINGS),
                metrics,
                self.logs,
                "worker" if number == 1 else f"worker {number}",
            )
            for number, metrics in enumerate(self._metrics, 1)
        )
        self._client: Client | None = None

    @asynccontextmanager
    async def services_running(self) -> AsyncIterator[None]:
        """Run the Temporal server and the simulator.

        Raises:
            SetupError: a process did not start, or the namespace cannot be used.
            TemporalUnreachable: a named server does not answer.

        """
        async with self._services.running(), self._server.connected() as self._client:
            yield

    @asynccontextmanager
    async def workers_running(self) -> AsyncIterator[None]:
        """Run the workers.

        Raises:
            ProcessFailed: one did not start.

        """
        async with ProcessGroup(self.workers).running():
            yield

    async def is_ready(self) -> bool:
        """Whether the Temporal server and all workers answer."""
        children = (*self._server.children, *self.workers)
        return all([await child.spec.ready() for child in children])

    def kill_server(self) -> None:
        """Kill the embedded Temporal server, which is restarted."""
        for child in self._server.children:
            child.kill(expected=True)

    async def read_simulator(self, endpoint: str) -> Any:
        """Read `counts`, `ledger` or `requests` of the simulator."""
        return json.loads(await run_in_daemon_thread(fetch, self._control(endpoint)))

    async def inject(self, kind: Kind, lines: Sequence[Line]) -> None:
        """Add records of one kind to the simulator."""
        body = [{line.kind: line.record, "detections": line.detections} for line in lines]
        url = self._control(f"{kind}s")
        await run_in_daemon_thread(fetch, url, json.dumps(body).encode())

    async def has_polled_since(self, time: datetime) -> bool:
        """Whether every source was read to its end by a poll that started after `time`."""
        return await self._ask(self._all_polled_since(time))

    async def is_idle(self) -> bool:
        """Whether no case has anything to do and no correlation has matches for a case."""
        return await self._ask(is_idle(self._require_client()), _IDLE_TIMEOUT)

    async def count_cases(self) -> dict[str, int]:
        """Count the open cases by state; empty if the server does not answer."""
        cases = CaseGateway(self._require_client())
        counts: dict[str, int] = {}
        with suppress(TimeoutError, RPCError):
            async with asyncio.timeout(_QUERY_TIMEOUT):
                for state in CaseState:
                    counts[state.value] = await cases.count(state)
        return {state: count for state, count in counts.items() if count}

    async def describe_wait(self, time: datetime) -> str:
        """Describe what keeps the rehearsal from being complete."""
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT):
                return await describe_wait(self._require_client(), time)
        except (TimeoutError, RPCError):
            return "the Temporal server, which does not answer"

    async def read_counters(self) -> dict[str, dict[str, float]]:
        """Read the counters of each process, summed over labels; empty if it does not answer.

        Those of the server are the billable actions, as in Temporal Cloud, if it reports them.
        """
        pages = {
            child.spec.name: url for child, url in zip(self.workers, self._metrics, strict=True)
        }
        read = await asyncio.gather(*(_read_counters(address) for address in pages.values()))
        counters = dict(zip(pages, read, strict=True))
        if (actions := await self._server.count_actions()) is not None:
            counters[SERVER] = {ACTIONS: float(actions)}
        return counters

    def _control(self, endpoint: str) -> str:
        return f"http://127.0.0.1:{self._simulator_port}/_sim/{endpoint}"

    def _worker_settings(self, plan: Rehearsal, folder: Path, history: timedelta) -> dict[str, str]:
        settings = {
            "CLAWBACK_STATE": str(folder),
            "CLAWBACK_AUDIT": str(self.audit),
            "CLAWBACK_AUDIT_KEY_FILE": str(default_key_file(self.audit)),
            "CLAWBACK_RULES": str(plan.rules.resolve()),
            "CLAWBACK_API_URL": f"http://127.0.0.1:{self._simulator_port}/client/v4",
            # Polls share the rate limit with what they find: a poll a second would use most of it.
            "CLAWBACK_INTERVAL": "5s",
            "CLAWBACK_SUBMISSION_INTERVAL": "5s",
            "CLAWBACK_START": format_duration(history),
            "CLAWBACK_AGE_LIMIT": plan.age_limit,
            "CLAWBACK_GUARD": "on" if plan.guard else "unlimited",
            "CLAWBACK_UPGRADE": "restart",
            "CLAWBACK_ENCRYPTION_KEY_FILE": str(self._settings.encryption_key_file),
            "CLAWBACK_TEMPORAL_TLS": "optional",
            "CLAWBACK_LOG_FORMAT": "json",
            **self._server.environment,
        }
        if plan.safety is not None:
            settings["CLAWBACK_SAFETY"] = str(plan.safety.resolve())
        if plan.lateness:
            settings["CLAWBACK_LOOKBACK"] = format_duration(history)
        return settings

    async def _all_polled_since(self, time: datetime) -> bool:
        """Ask, and ask a quiet poller to poll: it does not say so every time by itself."""
        pollers = PollerGateway(self._require_client())
        late = [
            status
            for source in EventKind
            if not (status := await pollers.status(source)).has_read(time)
        ]
        for status in late:
            # A poll reads no backlog: asking for one would only use up requests.
            is_behind = status.backlog or status.rereading
            if status.requested == status.completed and not is_behind:
                await pollers.request_poll(status.source)
        return not late

    def _require_client(self) -> Client:
        if self._client is None:
            raise RuntimeError("the services are not running")
        return self._client

    @staticmethod
    async def _ask(query: Awaitable[bool], patience: float = _QUERY_TIMEOUT) -> bool:
        """Await a query; False if it fails because a process is down or not ready."""
        try:
            return await asyncio.wait_for(query, patience)
        except (TimeoutError, RPCError, NoSuchWorkflow):
            return False


def _server_of(plan: Rehearsal, settings: Settings, folder: Path, logs: Path) -> RehearsalServer:
    if plan.temporal is None:
        return EmbeddedServer(settings, folder, logs)
    return NamedServer(settings, plan.temporal, plan.temporal_variables)


async def _read_counters(address: str) -> dict[str, float]:
    try:
        url = f"http://{address}/metrics"
        page = await run_in_daemon_thread(fetch, url, timeout=_METRICS_TIMEOUT)
    except OSError:
        return {}
    return sum_counters(page.decode())
