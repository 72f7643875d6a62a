"""What an orchestrator asks: whether to restart a process, and whether its start is over.

Neither depends on Cloudflare or Temporal, because a restart repairs neither; `/healthz` does.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

PATIENCE = timedelta(minutes=1)
"""How long an event loop may hang; large cases hold it for seconds when they are replayed."""
_BEAT = 1.0


class ProcessProbes:
    """Follows the event loop of a process, from a thread that goes on if the loop hangs.

    Args:
        clock: Monotonic seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turned_at = clock()
        self._is_ready = False

    async def watch(self) -> None:
        """Note every second that the loop turns, until cancelled."""
        while True:
            self._turned_at = self._clock()
            await asyncio.sleep(_BEAT)

    def note_ready(self) -> None:
        """Note that the process has started."""
        self._is_ready = True

    def find_hang(self) -> str | None:
        """Return what is wrong if only a restart helps: the event loop hangs."""
        age = self._clock() - self._turned_at
        if age <= PATIENCE.total_seconds():
            return None
        return f"the event loop has not run for {age:.0f} s"

    def find_unready(self) -> str | None:
        """Return what is wrong while the process has not started, or hangs."""
        return self.find_hang() if self._is_ready else "not started yet"
