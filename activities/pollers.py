"""Starting what runs for ever, the pollers and the guard.

At the worker's start, and when the watchdog finds one missing.
"""

from collections.abc import Sequence

from temporalio import activity

from clawback.model.polling import PollerStart
from clawback.temporal.gateway import Gateway
from clawback.temporal.guard_gateway import GuardGateway


class PollerActivities:
    """The pollers that this installation should have."""

    def __init__(
        self, gateway: Gateway, guard: GuardGateway, wanted: Sequence[PollerStart]
    ) -> None:
        self._gateway = gateway
        self._guard = guard
        self._wanted = wanted

    @activity.defn(name="pollers.ensure")
    async def ensure(self) -> None:
        """Start the guard and each poller unless it runs."""
        await self._guard.ensure()
        for start in self._wanted:
            await self._gateway.start_poller(start)
