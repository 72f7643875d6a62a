"""Whether the pollers of a worker are well, asked from another thread.

It costs nothing until a poll is overdue.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from clawback.model.events import EventKind
from clawback.model.polling import PollerStatus
from clawback.telemetry.health import describe_overdue, max_poll_age, overdue_sources, poll_ages
from clawback.temporal.poller_gateway import PollerGateway

_PATIENCE = 3.0


class PollHealth:
    """Says what is wrong with the polling of a process, or None.

    Made on the event loop, called from any other thread.

    A source that looks late here is asked for at its poller: it may be paused, or another worker
    may read it.
    """

    def __init__(self, pollers: PollerGateway, intervals: Mapping[EventKind, timedelta]) -> None:
        self._pollers = pollers
        self._patience = {
            source.value: max_poll_age(interval) for source, interval in intervals.items()
        }
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> str | None:
        """Look at the ages in this process first, and ask the pollers only of what is late."""
        up_for = timedelta(seconds=time.monotonic() - self._began)
        late = overdue_sources(poll_ages(), up_for, self._patience)
        return describe_overdue(
            {source: age for source, age in late.items() if not self._excused(EventKind(source))}
        )

    def _excused(self, source: EventKind) -> bool:
        asking = asyncio.run_coroutine_threadsafe(self._pollers.status(source), self._loop)
        try:
            return is_fresh(asking.result(_PATIENCE), datetime.now(UTC), self._patience[source])
        except Exception:  # noqa: BLE001 - whatever keeps the poller from answering, nobody vouches for it
            asking.cancel()
            return False


def is_fresh(status: PollerStatus, now: datetime, patience: timedelta) -> bool:
    """Say whether a poller is as it should be.

    Paused by somebody, or read to its end not too long ago.
    """
    return status.state == "paused" or (
        status.drained_at is not None and now - status.drained_at <= patience
    )
