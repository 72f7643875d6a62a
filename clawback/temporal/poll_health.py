"""Health of the pollers, checked from another thread. Costs nothing until a poll is overdue."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from clawback.model.events import EventKind
from clawback.model.poll_windows import LONGEST_WATCH
from clawback.model.polling import PollerStatus
from clawback.telemetry.health import describe_overdue, max_poll_age, overdue_sources, poll_ages
from clawback.temporal.poller_gateway import PollerGateway

_QUERY_TIMEOUT = 3.0


class PollHealth:
    """Says what is wrong with the polling, or None. Create it on the event loop, call it elsewhere.

    If a source looks overdue in this process, its poller is queried: it may be paused, or another
    worker may be reading it.
    """

    def __init__(self, pollers: PollerGateway, intervals: Mapping[EventKind, timedelta]) -> None:
        self._pollers = pollers
        self._patience = {
            source.value: max_poll_age(interval) for source, interval in intervals.items()
        }
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> str | None:
        """Check the lag that this process knows, and query the pollers of overdue sources only."""
        up_for = timedelta(seconds=time.monotonic() - self._began)
        late = overdue_sources(poll_ages(), up_for, self._patience)
        return describe_overdue(
            {source: age for source, age in late.items() if not self._is_excused(EventKind(source))}
        )

    def _is_excused(self, source: EventKind) -> bool:
        query = asyncio.run_coroutine_threadsafe(self._pollers.status(source), self._loop)
        try:
            return is_fresh(query.result(_QUERY_TIMEOUT), datetime.now(UTC), self._patience[source])
        except Exception:  # noqa: BLE001 - without an answer, nothing is excused
            query.cancel()
            return False


def is_fresh(status: PollerStatus, now: datetime, patience: timedelta) -> bool:
    """Whether a poller is paused, or completed a poll within `patience`.

    Polls of a quiet source leave no trace for a while.
    """
    return status.state == "paused" or (
        status.drained_at is not None and now - status.drained_at <= patience + LONGEST_WATCH
    )
