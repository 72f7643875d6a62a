"""Asking the guard: the one question before every containment.

Cases that ask at the same moment share one call.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from clawback.guard import Budgets, Reservation, ReservationBatch, ReservationResult
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.batching import Batcher
from clawback.temporal.error_types import ErrorType
from clawback.temporal.guard_gateway import GuardGateway

_MOST_ASKS = 500
_LAST_WORD = 0.5
"""Seconds for an answer that is on its way when the worker stops."""
_LATER = timedelta(seconds=1)
"""When another worker, or the next one here, asks again."""


class GuardActivities:
    """Asks with the budgets that are loaded now.

    None as budgets lets every ask pass, and still counts it.
    """

    def __init__(
        self,
        guard: GuardGateway,
        budgets: Callable[[], Budgets | None],
        observing: ActivityTelemetry,
    ) -> None:
        self._guard = guard
        self._budgets = budgets
        self._observing = observing
        self._asking = Batcher(
            self._ask, _MOST_ASKS, pause=timedelta(milliseconds=5), busy=timedelta(milliseconds=20)
        )

    @activity.defn(name="guard.reserve")
    async def reserve(self, ask: Reservation) -> ReservationResult:
        """Reservation for one act. The same ask may be repeated: it is granted and charged once.

        A worker that stops does not wait: the guard may be a workflow of this process, which takes
        no work any more.

        Raises:
            ApplicationError: the worker stops; the engine asks again, here or elsewhere.

        """
        asking = asyncio.ensure_future(self._asking.ask([ask]))
        stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({asking}, timeout=_LAST_WORD)
        stopping.cancel()
        if not asking.done():
            asking.cancel()
            raise ApplicationError(
                "this worker stops", type=ErrorType.UNAVAILABLE, next_retry_delay=_LATER
            )
        answer = asking.result()[ask.id]
        self._observing.record_reservation(ask, answer)
        return answer

    async def _ask(self, asks: Sequence[Reservation]) -> dict[str, ReservationResult]:
        budgets = self._budgets()
        if budgets is None:
            asks, budgets = [ask.model_copy(update={"limits": ()}) for ask in asks], Budgets()
        return await self._guard.reserve(ReservationBatch(asks=tuple(asks), budgets=budgets))
