"""What excuses a poll that looks late in one process.

A pause, or another worker that reads the source.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.telemetry import metrics
from clawback.temporal.poll_health import PollHealth, is_fresh
from clawback.temporal.poller_gateway import PollerGateway

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=2)


@pytest.mark.parametrize(
    ("state", "age", "fresh"),
    [
        ("polling", 239, True),
        ("polling", 301, False),
        ("polling", None, False),
        ("degraded", 301, False),
        ("paused", 9_999, True),
    ],
)
def test_only_a_pause_or_a_recent_poll_excuses(state: str, age: int | None, *, fresh: bool) -> None:
    """A poller that somebody paused is as it should be, however long.

    Otherwise its last complete poll decides.
    """
    drained_at = None if age is None else NOW - timedelta(seconds=age)
    status = PollerStatus(source=EventKind.MESSAGE, state=state, cursor=NOW, drained_at=drained_at)
    assert is_fresh(status, NOW, PATIENCE) is fresh


async def test_a_source_that_nobody_polls_is_told(temporal: Client) -> None:
    """Asked over a real server that knows no such poller.

    Well while the patience lasts, unwell after it.
    """
    metrics.POLL_LAG.clear()  # this process may have read it in an earlier test
    health = PollHealth(PollerGateway(temporal), {EventKind.SUBMISSION: timedelta(seconds=5)})
    assert await asyncio.to_thread(health) is None
    health._began -= 180
    said = await asyncio.to_thread(health)
    assert said is not None
    assert said.startswith("no complete poll of submission for 3m")
