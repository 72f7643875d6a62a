"""Learning where everything stands.

From the worker's /metrics, from Temporal, from the audit and from the processes.

Read-only, but that logs which have grown too large are turned over while we look.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.audit import Tail
from clawback.cases import CaseState
from clawback.local import ChildProcess, fetch
from clawback.local.status import WORTH_SHOWING, Health, Numbers, RuleCounts, Status
from clawback.model.audit_record import AuditRecord
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

T = TypeVar("T")

OPEN_STATES = (CaseState.WATCHING, CaseState.HELD, CaseState.RESPONDING, CaseState.SETTLED)
_PATIENCE = 2.0
_RECENT = 12


class Collector:
    """Keeps what was learnt last, so that one source that does not answer leaves the rest of the display as it is."""

    def __init__(
        self, client: Client, metrics_url: str, audit: Path, children: Sequence[ChildProcess]
    ) -> None:
        self._case_gateway, self._poller_gateway = CaseGateway(client), PollerGateway(client)
        self._metrics_url = metrics_url
        self._tail = Tail(audit)
        self._children = children
        self._began = time.monotonic()
        self._numbers: Numbers | None = None
        self._pollers: tuple[PollerStatus, ...] = ()
        self._cases: dict[str, int] = {}
        self._tallies: dict[str, RuleCounts] = {}
        self._recent: deque[AuditRecord] = deque(maxlen=_RECENT)

    async def collect(self) -> Status:
        """Ask everyone at the same time, each for at most two seconds."""
        numbers, pollers, cases = await asyncio.gather(
            _patiently(self._ask_metrics),
            _patiently(self._ask_pollers),
            _patiently(self._count_cases),
        )
        self._numbers = numbers
        self._pollers = pollers or self._pollers
        self._cases = cases or self._cases
        for record in self._tail.read():
            self._take(record)
        for child in self._children:
            child.trim_log()
        return Status(
            up_for=timedelta(seconds=int(time.monotonic() - self._began)),
            numbers=self._numbers,
            pollers=self._pollers,
            cases=self._cases,
            tallies=dict(sorted(self._tallies.items())),
            recent=tuple(self._recent),
            children=tuple(
                Health(child.spec.name, child.state, child.restarts) for child in self._children
            ),
        )

    def _take(self, record: AuditRecord) -> None:
        if record.rule is not None:
            self._tallies.setdefault(record.rule, RuleCounts()).count(record)
        if record.kind in WORTH_SHOWING:
            self._recent.append(record)

    async def _ask_metrics(self) -> Numbers:
        return read_numbers((await asyncio.to_thread(fetch, self._metrics_url)).decode())

    async def _ask_pollers(self) -> tuple[PollerStatus, ...]:
        found = []
        for source in EventKind:
            with suppress(NoSuchWorkflow):
                found.append(await self._poller_gateway.status(source))
        return tuple(found)

    async def _count_cases(self) -> dict[str, int]:
        counts = await asyncio.gather(*(self._case_gateway.count(state) for state in OPEN_STATES))
        return {state.value: count for state, count in zip(OPEN_STATES, counts, strict=True)}


async def _patiently(question: Callable[[], Awaitable[T]]) -> T | None:
    with suppress(TimeoutError, OSError, RPCError):
        return await asyncio.wait_for(question(), _PATIENCE)
    return None


def read_numbers(page: str) -> Numbers:
    """Read a page of metrics."""
    samples = [
        sample
        for family in text_string_to_metric_families(page)
        if family.name.startswith("clawback_")
        for sample in family.samples
    ]

    def of(name: str) -> list[tuple[dict[str, str], float]]:
        return [
            (sample.labels, sample.value) for sample in samples if sample.name == f"clawback_{name}"
        ]

    requests = of("api_requests_total")
    left = of("api_rate_limit_remaining")
    return Numbers(
        requests=int(sum(value for _, value in requests)),
        unanswered=int(
            sum(value for labels, value in requests if not labels["status"].isdecimal())
        ),
        refused=int(
            sum(value for labels, value in requests if labels["status"].startswith(("4", "5")))
        ),
        left=int(left[0][1]) if left and requests else None,
        rules=int(sum(value for _, value in of("rules_loaded"))),
        stopped=any(value for _, value in of("containment_stopped")),
        poll_ages={
            labels["source"]: timedelta(seconds=value) for labels, value in of("poll_lag_seconds")
        },
    )
