"""The activity that asks the guard before every containment."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from clawback.actions import Action
from clawback.audit import AuditUnavailable, AuditWriter
from clawback.batching import Batcher
from clawback.cases.authority import Authority
from clawback.cases.hold_cause import HoldCause
from clawback.guard import Loss, Past, Reservation, ReservationResult
from clawback.model.audit_record import AuditRecord
from clawback.model.payload import Payload
from clawback.rules.act_check import ActCheck
from clawback.rules.live_budgets import LiveBudgets
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.temporal.application_errors import audit_unavailable
from clawback.temporal.error_types import ErrorType
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.running_parts import RunningParts

_RESERVATIONS_PER_UPDATE = 500
_SHUTDOWN_GRACE = 0.5
"""Seconds to wait for a result that is on its way when the worker stops."""
_REPLAYS = 3
_RETRY_DELAY = timedelta(seconds=1)
"""When another worker, or the next one here, asks again."""


class ReserveStep(Payload):
    """A reservation for an action, and on what that rests.

    The audit records must be written before it: they announce it. With `looks_for_parts` nothing is
    reserved if the case, which has no parts itself, finds open ones.
    """

    reservation: Reservation
    action: Action
    authority: Authority
    records: tuple[AuditRecord, ...] = ()
    looks_for_parts: bool = False


class GuardActivities:
    """Reserves with the budgets that are loaded now; cases that ask together share one update."""

    def __init__(
        self,
        guard: GuardGateway,
        budgets: LiveBudgets,
        check: ActCheck,
        audit: AuditWriter,
        telemetry: ActivityTelemetry,
    ) -> None:
        self._parts = RunningParts(guard.client)
        self._guard = guard
        self._budgets = budgets
        self._check = check
        self._audit = audit
        self._telemetry = telemetry
        self._batcher = Batcher(
            self._reserve_batch,
            _RESERVATIONS_PER_UPDATE,
            pause=timedelta(milliseconds=5),
            busy=timedelta(milliseconds=20),
        )

    @activity.defn(name="guard.reserve")
    async def reserve(self, request: ReserveStep) -> ReservationResult:
        """Write what announces an action, and reserve it; a repeat is granted and charged once.

        A worker that stops does not wait for the guard, which may be a workflow of this very
        process and get no more tasks.

        Raises:
            ApplicationError: the worker stops, or the audit cannot be written; the engine asks
                again, here or elsewhere.

        """
        await self._announce(request)
        if request.looks_for_parts and await self._parts.has_any(request.reservation.case):
            return ReservationResult(granted=False, must_take_over=True)
        objection = self._check.find_objection(request.authority, request.action)
        # The guard knows better than this worker which rules are demoted, and tells the case later.
        if objection is not None and objection.cause is not HoldCause.DEMOTED:
            return ReservationResult(
                granted=False,
                reason=objection.reason,
                cause=objection.cause,
                outcome=objection.outcome,
            )

        return await self._ask(request.reservation)

    async def repeat(self, request: ReserveStep) -> ReservationResult:
        """Reserve what an attempt before may have been granted already, whatever holds now.

        Raises:
            ApplicationError: as for `reserve`.

        """
        await self._announce(request)
        return await self._ask(request.reservation)

    @activity.defn(name="guard.read_past")
    async def read_past(self, loss: Loss) -> Past:
        """Read what a lost guard knew, from the run that was its last one.

        The first attempts ask that run, which replays its history. If it cannot answer, the next
        ones read with what it started.
        """
        may_replay = activity.info().attempt <= _REPLAYS
        return await self._guard.read_past(loss, may_replay=may_replay)

    async def _ask(self, reservation: Reservation) -> ReservationResult:
        asking = asyncio.ensure_future(self._batcher.ask([reservation]))
        stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        # Whichever comes first. A result that is on its way then gets a moment more.
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({asking}, timeout=_SHUTDOWN_GRACE)
        stopping.cancel()

        if not asking.done():
            asking.cancel()
            raise ApplicationError(
                "the worker is stopping", type=ErrorType.UNAVAILABLE, next_retry_delay=_RETRY_DELAY
            )

        result = asking.result()[reservation.id]
        self._telemetry.record_reservation(reservation, result)
        return result

    async def _announce(self, request: ReserveStep) -> None:
        """Write the records; the audit drops those that a former attempt has written."""
        try:
            await self._audit.append(request.records)
        except AuditUnavailable as error:
            raise audit_unavailable(error) from error

    async def _reserve_batch(
        self, reservations: Sequence[Reservation]
    ) -> dict[str, ReservationResult]:
        return await self._guard.reserve(self._budgets.batch(reservations))
