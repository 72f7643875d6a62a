"""The processes of a rehearsal: Temporal server, simulator and worker, with their own folder."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CaseState
from clawback.local import (
    ChildProcess,
    ProcessGroup,
    environment_with,
    fetch,
    free_port,
    simulator_child,
    worker_child,
)
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.rehearsal.plan import Rehearsal
from clawback.rehearsal.server import EmbeddedServer, NamedServer, RehearsalServer
from clawback.settings import Settings
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

SETTINGS = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_")
"""Prefixes of the environment variables that a rehearsal ignores."""
_QUERY_TIMEOUT = 5.0


class RehearsalEnvironment:
    """Runs the processes of one rehearsal and observes them."""

    def __init__(
        self, plan: Rehearsal, folder: Path, corpora: Sequence[Path], history: timedelta
    ) -> None:
        self._settings = Settings.model_construct()
        self._simulator_port, metrics_port = free_port(), free_port()
        self._metrics = f"127.0.0.1:{metrics_port}"
        self.audit = folder / "audit.jsonl"
        self.has_guard = plan.guard
        self.logs = folder / "logs"
        self._server = _server_of(plan, self._settings, folder, self.logs)
        options = ["--rate-limit", plan.rate_limit, "--faults", plan.faults]
        options += ["--seed", str(plan.seed)]
        options += [word for path in corpora for word in ("--corpus", str(path))]
        self._services = ProcessGroup(
            (
                *self._server.children,
                simulator_child(self._simulator_port, options, self.logs),
            )
        )
        self.worker: ChildProcess = worker_child(
            self._worker_environment(plan, folder, history), self._metrics, self.logs
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
    async def worker_running(self) -> AsyncIterator[None]:
        """Run the worker.

        Raises:
            ProcessFailed: it did not start.

        """
        async with ProcessGroup((self.worker,)).running():
            yield

    async def read_simulator(self, endpoint: str) -> Any:
        """Read `counts`, `ledger` or `requests` of the simulator."""
        url = f"http://127.0.0.1:{self._simulator_port}/_sim/{endpoint}"
        return json.loads(await asyncio.to_thread(fetch, url))

    async def has_polled_since(self, time: datetime) -> bool:
        """Whether every source was read to its end by a poll that started after `time`."""
        return await self._ask(self._all_polled_since(time))

    async def is_idle(self) -> bool:
        """Whether no case is responding."""
        return await self._ask(self._none_responding())

    async def count_cases(self) -> dict[str, int]:
        """Count the open cases by state."""
        cases = CaseGateway(self._require_client())
        return {state.value: count for state in CaseState if (count := await cases.count(state))}

    async def read_counters(self) -> dict[str, float]:
        """Read the worker's counters, summed over labels; empty if it does not answer."""
        try:
            page = (await asyncio.to_thread(fetch, f"http://{self._metrics}/metrics")).decode()
        except OSError:
            return {}

        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name.startswith("clawback_") and sample.name.endswith("_total"):
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    async def count_temporal_actions(self) -> int | None:
        """Count the billable actions of this rehearsal; None if the server does not say."""
        return await self._server.count_actions()

    def _worker_environment(
        self, plan: Rehearsal, folder: Path, history: timedelta
    ) -> dict[str, str]:
        settings = {
            "CLAWBACK_STATE": str(folder),
            "CLAWBACK_AUDIT": str(self.audit),
            "CLAWBACK_RULES": str(plan.rules.resolve()),
            "CLAWBACK_API_URL": f"http://127.0.0.1:{self._simulator_port}/client/v4",
            "CLAWBACK_METRICS": self._metrics,
            "CLAWBACK_INTERVAL": "1s",
            "CLAWBACK_SUBMISSION_INTERVAL": "1s",
            "CLAWBACK_START": format_duration(history),
            "CLAWBACK_AGE_LIMIT": plan.age_limit,
            "CLAWBACK_GUARD": "on" if plan.guard else "unlimited",
            "CLAWBACK_LOG_FORMAT": "json",
            **self._server.environment,
        }
        if plan.lateness:
            settings["CLAWBACK_LOOKBACK"] = format_duration(history)
        return environment_with(settings, without=SETTINGS)

    async def _all_polled_since(self, time: datetime) -> bool:
        pollers = PollerGateway(self._require_client())
        statuses = [await pollers.status(source) for source in EventKind]
        return all(status.cursor >= time and status.owed is None for status in statuses)

    async def _none_responding(self) -> bool:
        return await CaseGateway(self._require_client()).count(CaseState.RESPONDING) == 0

    def _require_client(self) -> Client:
        if self._client is None:
            raise RuntimeError("the services are not running")
        return self._client

    @staticmethod
    async def _ask(query: Awaitable[bool]) -> bool:
        """Await a query; False if it fails because a process is down or not ready."""
        try:
            return await asyncio.wait_for(query, _QUERY_TIMEOUT)
        except (TimeoutError, RPCError, NoSuchWorkflow):
            return False


def _server_of(plan: Rehearsal, settings: Settings, folder: Path, logs: Path) -> RehearsalServer:
    if plan.temporal is None:
        return EmbeddedServer(settings, folder, logs)
    return NamedServer(settings, plan.temporal, plan.temporal_variables)
