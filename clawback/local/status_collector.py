"""Collects the status from the worker's `/metrics`, Temporal, the audit log and the processes.

Read-only, except that it rotates process logs that have grown too large.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from clawback.audit import Tail
from clawback.cases import CaseState
from clawback.local.child_process import ChildProcess
from clawback.local.processes import fetch
from clawback.local.status import ProcessStatus, RuleCounts, Status, WorkerMetrics, is_shown
from clawback.model.audit_record import AuditRecord
from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import UNANSWERED
from clawback.temporal.poller_gateway import PollerGateway

T = TypeVar("T")

OPEN_STATES = (CaseState.HELD, CaseState.RESPONDING, CaseState.SETTLED)
_TIMEOUT = 2.0
_MAX_RECENT = 12


class StatusCollector:
    """Collects the status; keeps the last known value of a source that does not respond.

    What is in the `audit` after the place where its tail begins is counted.
    """

    def __init__(
        self, client: Client, metrics_url: str, audit: Tail, children: Sequence[ChildProcess]
    ) -> None:
        self._case_gateway, self._poller_gateway = CaseGateway(client), PollerGateway(client)
        self._metrics_url = metrics_url
        self._tail = audit
        self._children = children
        self._started = time.monotonic()
        self._pollers: dict[EventKind, PollerStatus] = {}
        self._cases: dict[str, int] = {}
        self._rule_counts: dict[str, RuleCounts] = {}
        self._recent: deque[AuditRecord] = deque(maxlen=_MAX_RECENT)

    async def collect(self) -> Status:
        """Ask all sources at the same time, each for at most two seconds."""
        metrics, pollers, cases = await asyncio.gather(
            _with_timeout(self._read_metrics),
            asyncio.gather(*(_with_timeout(partial(self._read_poller, one)) for one in EventKind)),
            _with_timeout(self._count_cases),
        )
        for poller in filter(None, pollers):
            self._pollers[poller.source] = poller
        self._cases = cases or self._cases
        # In a thread: an outbreak writes thousands of records between two looks.
        await asyncio.to_thread(self._count_new)
        for child in self._children:
            child.rotate_log()

        return Status(
            uptime=timedelta(seconds=int(time.monotonic() - self._started)),
            metrics=metrics,
            pollers=tuple(self._pollers[one] for one in EventKind if one in self._pollers),
            cases=self._cases,
            rule_counts=dict(sorted(self._rule_counts.items())),
            recent=tuple(self._recent),
            processes=tuple(
                ProcessStatus(child.spec.name, child.state, child.restarts)
                for child in self._children
            ),
        )

    def _count_new(self) -> None:
        for record in self._tail.read():
            self._count(record)

    def _count(self, record: AuditRecord) -> None:
        if record.rule is not None:
            self._rule_counts.setdefault(record.rule, RuleCounts()).count(record)
        if is_shown(record):
            self._recent.append(record)

    async def _read_metrics(self) -> WorkerMetrics:
        return parse_worker_metrics((await asyncio.to_thread(fetch, self._metrics_url)).decode())

    async def _read_poller(self, source: EventKind) -> PollerStatus:
        return await self._poller_gateway.status(source)

    async def _count_cases(self) -> dict[str, int]:
        counts = await asyncio.gather(*(self._case_gateway.count(state) for state in OPEN_STATES))
        return {state.value: count for state, count in zip(OPEN_STATES, counts, strict=True)}


async def _with_timeout(read: Callable[[], Awaitable[T]]) -> T | None:
    with suppress(TimeoutError, OSError, *UNANSWERED):
        return await asyncio.wait_for(read(), _TIMEOUT)
    return None


def parse_worker_metrics(page: str) -> WorkerMetrics:
    """Parse a page in the Prometheus text format."""
    samples = [
        sample
        for family in text_string_to_metric_families(page)
        if family.name.startswith("clawback_")
        for sample in family.samples
    ]

    def values(name: str) -> list[tuple[dict[str, str], float]]:
        full = f"clawback_{name}"
        return [(sample.labels, sample.value) for sample in samples if sample.name == full]

    requests = [(labels["status"], value) for labels, value in values("api_requests_total")]
    remaining = values("api_rate_limit_remaining")
    resets = values("api_rate_limit_reset_seconds")
    return WorkerMetrics(
        requests=int(sum(value for _, value in requests)),
        # A status is a number, or the class of a failure without a response.
        unanswered=int(sum(value for status, value in requests if not status.isdecimal())),
        refused=int(sum(value for status, value in requests if status.startswith(("4", "5")))),
        remaining=int(remaining[0][1]) if remaining and requests else None,
        resets_in=timedelta(seconds=resets[0][1]) if resets and requests else None,
        rules=int(sum(value for _, value in values("rules_loaded"))),
        is_stopped=any(value for _, value in values("containment_stopped")),
        poll_ages={
            labels["source"]: timedelta(seconds=value)
            for labels, value in values("poll_lag_seconds")
        },
    )
