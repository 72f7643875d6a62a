"""Shows in the metrics how many cases wait for people, and since when the oldest is open."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from clawback.cases import CaseState
from clawback.model.level import Level
from clawback.telemetry import metrics
from clawback.temporal.case_index import CaseFilter

INTERVAL = timedelta(seconds=30)
OLDEST = timedelta(days=64)
"""Cases that are older count as that old."""
PRECISION = timedelta(minutes=1)
log = structlog.get_logger("clawback")


async def monitor_cases(client: Client) -> None:
    """Count the held cases until cancelled. It counts in the index: no workflow is asked."""
    while True:
        try:
            await count_held(client)
        except RPCError as error:
            log.warning("worker.cases_unreadable", error=error)
        await asyncio.sleep(INTERVAL.total_seconds())


async def count_held(client: Client) -> None:
    """Count the held cases once, by level.

    Raises:
        RPCError: the server does not answer.

    """

    async def count(**criteria: object) -> int:
        held = CaseFilter(state=CaseState.HELD, **criteria)  # type: ignore[arg-type]
        return (await client.count_workflows(held.query(()))).count

    held = 0
    for level in Level:
        found = await count(level=level.value)
        metrics.CASES_HELD.labels(level.value).set(found)
        held += found

    now = datetime.now(UTC)
    age = await find_age(now, lambda until: count(until=until)) if held else timedelta()
    metrics.CASES_HELD_AGE.set(age.total_seconds())


async def find_age(now: datetime, count_until: Callable[[datetime], Awaitable[int]]) -> timedelta:
    """Find the age of the oldest by bisection: the index counts, but does not sort.

    `count_until` says how many opened until a time. It takes 17 calls, however many there are.
    """
    youngest, oldest = timedelta(), OLDEST
    while oldest - youngest > PRECISION:
        middle = (youngest + oldest) / 2
        if await count_until(now - middle):
            youngest = middle
        else:
            oldest = middle
    return youngest
