"""The activity that starts what must always run: the guard and the pollers."""

from collections.abc import Sequence

from temporalio import activity

from clawback.model.polling import PollerStart
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.poller_gateway import PollerGateway


class PollerActivities:
    """Starts the pollers of this installation, at the worker's start and when one is missing."""

    def __init__(
        self, pollers: PollerGateway, guard: GuardGateway, starts: Sequence[PollerStart]
    ) -> None:
        self._pollers = pollers
        self._guard = guard
        self._starts = starts

    @activity.defn(name="temporal.start_pollers")
    async def start_pollers(self) -> None:
        """Start the guard and each poller unless it is running."""
        await self._guard.ensure()
        for start in self._starts:
            await self._pollers.start(start)
