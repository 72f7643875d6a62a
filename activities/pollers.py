"""Starting pollers: at the worker's start, and when the watchdog finds one missing."""

from collections.abc import Sequence

from temporalio import activity

from clawback.polling import PollerStart
from clawback.temporal.gateway import Gateway


class PollerActivities:
    """The pollers that this installation should have."""

    def __init__(self, gateway: Gateway, wanted: Sequence[PollerStart]) -> None:
        self._gateway = gateway
        self._wanted = wanted

    @activity.defn(name="pollers.ensure")
    async def ensure(self) -> None:
        """Start each poller unless it runs."""
        for start in self._wanted:
            await self._gateway.start_poller(start)
