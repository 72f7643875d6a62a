"""The stage of a rehearsal.

A Temporal server, a simulator and a worker, real processes with ports and a folder of their own.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
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
    ProcessPlan,
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
from clawback.rehearsal.plan import Rehearsal
from clawback.settings import Settings
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.client import connect
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

SETTINGS = ("CLAWBACK_", "CLOUDFLARE_", "TEMPORAL_")
_PATIENCE = 5.0


class RehearsalEnvironment:
    """Everything that runs during one rehearsal, and what can be asked of it."""

    def __init__(
        self, plan: Rehearsal, folder: Path, corpora: Sequence[Path], reach: timedelta
    ) -> None:
        self._settings = Settings.model_construct()
        self._simulator_port, metrics_port = free_port(), free_port()
        self._metrics = f"127.0.0.1:{metrics_port}"
        self.audit = folder / "audit.jsonl"
        self.guarded = plan.guard
        self.logs = folder / "logs"
        self._server = TemporalServer(folder / "temporal.db", free_port())
        options = [
            "--rate-limit",
            plan.rate_limit,
            "--faults",
            plan.faults,
            "--seed",
            str(plan.seed),
        ]
        options += [word for path in corpora for word in ("--corpus", str(path))]
        self._around = ProcessPlan(
            (
                temporal_child(self._server, self._settings, self.logs),
                simulator_child(self._simulator_port, options, self.logs),
            )
        )
        self.worker: ChildProcess = worker_child(
            self._environment(plan, folder, reach), self._metrics, self.logs
        )
        self._client: Client | None = None

    @asynccontextmanager
    async def set_up(self) -> AsyncIterator[None]:
        """Run all but the worker.

        Raises:
            ChildFailed: something did not start.

        """
        async with self._around.running():
            self._client = await connect(self._settings, address=self._server.address)
            yield

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """Run the worker.

        Raises:
            ChildFailed: it did not start.

        """
        async with ProcessPlan((self.worker,)).running():
            yield

    async def witness(self, what: str) -> Any:
        """Ask the simulator what it saw: `counts`, `ledger`, `requests`."""
        return json.loads(
            await asyncio.to_thread(fetch, f"http://127.0.0.1:{self._simulator_port}/_sim/{what}")
        )

    async def has_read(self, since: datetime) -> bool:
        """Whether every source was read to its end by a poll that began after a moment."""
        return await self._asked(self._read_since(since))

    async def is_idle(self) -> bool:
        """Whether no case has anything left to do."""
        return await self._asked(self._none_responding())

    async def cases(self) -> dict[str, int]:
        """Count the open cases by state."""
        cases = CaseGateway(self._needed())
        return {state.value: count for state in CaseState if (count := await cases.count(state))}

    async def counters(self) -> dict[str, float]:
        """Read the worker's counters, summed over their labels; empty while it does not answer."""
        return await self._sums(f"http://{self._metrics}/metrics")

    async def temporal_actions(self) -> int:
        """Read how many actions, as Temporal Cloud bills them, the server has counted in our namespace."""
        page = (
            await asyncio.to_thread(fetch, f"http://127.0.0.1:{self._server.metrics_port}/metrics")
        ).decode()
        families = (
            family for family in text_string_to_metric_families(page) if family.name == "action"
        )
        return int(
            sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.labels["namespace"] == "default"
            )
        )

    # ---- inside

    def _environment(self, plan: Rehearsal, folder: Path, reach: timedelta) -> dict[str, str]:
        settings = {
            "CLAWBACK_STATE": str(folder),
            "CLAWBACK_AUDIT": str(self.audit),
            "CLAWBACK_RULES": str(plan.rules.resolve()),
            "CLAWBACK_API_URL": f"http://127.0.0.1:{self._simulator_port}/client/v4",
            "CLAWBACK_METRICS": self._metrics,
            "CLAWBACK_INTERVAL": "1s",
            "CLAWBACK_SUBMISSION_INTERVAL": "1s",
            "CLAWBACK_START": format_duration(reach),
            "CLAWBACK_AGE_LIMIT": plan.age_limit,
            "CLAWBACK_GUARD": "on" if plan.guard else "unlimited",
            "CLAWBACK_LOG_FORMAT": "json",
            "TEMPORAL_ADDRESS": self._server.address,
        }
        if plan.late:
            settings["CLAWBACK_LOOKBACK"] = format_duration(reach)
        return environment_with(settings, without=SETTINGS)

    async def _read_since(self, since: datetime) -> bool:
        pollers = PollerGateway(self._needed())
        statuses = [await pollers.status(source) for source in EventKind]
        return all(status.cursor >= since and status.owed is None for status in statuses)

    async def _none_responding(self) -> bool:
        return await CaseGateway(self._needed()).count(CaseState.RESPONDING) == 0

    def _needed(self) -> Client:
        if self._client is None:
            raise RuntimeError("the stage is not set up")
        return self._client

    @staticmethod
    async def _asked(question: Any) -> bool:
        try:
            return bool(await asyncio.wait_for(question, _PATIENCE))
        except (TimeoutError, RPCError, NoSuchWorkflow):
            return False

    @staticmethod
    async def _sums(url: str) -> dict[str, float]:
        try:
            page = (await asyncio.to_thread(fetch, url)).decode()
        except OSError:
            return {}
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name.startswith("clawback_") and sample.name.endswith("_total"):
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums
