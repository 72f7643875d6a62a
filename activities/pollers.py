"""Starting what runs for ever, the pollers and the guard.

At the worker's start, and when the watchdog finds one missing.
"""

from collections.abc import Sequence

from temporalio import activity

from clawback.model.polling import PollerStart
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.poller_gateway import PollerGateway


class PollerActivities:
    """The pollers that this installation should have."""

    def __init__(
        self, pollers: PollerGateway, guard: GuardGateway, wanted: Sequence[PollerStart]
    ) -> None:
        self._pollers = pollers
        self._guard = guard
        self._wanted = wanted

    @activity.defn(name="pollers.ensure")
    async def ensure(self) -> None:
        """Start the guard and each poller unless it runs."""
        await self._guard.ensure()
        for start in self._wanted:
            await self._pollers.start(start)
