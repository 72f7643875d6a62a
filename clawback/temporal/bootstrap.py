"""Prepares the server before the first workflow: search attributes and the watchdog schedule."""

from contextlib import suppress
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError, RPCStatusCode

from clawback.temporal import names

WATCHDOG_SCHEDULE = "watchdog"
_WATCHDOG_INTERVAL = timedelta(minutes=5)
_IGNORED_STATUSES = {
    RPCStatusCode.ALREADY_EXISTS,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNIMPLEMENTED,
}


async def prepare(client: Client) -> None:
    """Register the search attributes and the watchdog schedule; safe to repeat.

    A server without this API (Temporal Cloud) must have the attributes already; otherwise the first
    case fails and says so.
    """
    await _register_attributes(client)
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(WATCHDOG_SCHEDULE, _watchdog_schedule())


async def _register_attributes(client: Client) -> None:
    attributes = {name: _indexed_type(kind) for name, kind in names.SEARCH_ATTRIBUTES.items()}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(search_attributes=attributes, namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in _IGNORED_STATUSES:
            raise


def _indexed_type(kind: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")


def _watchdog_schedule() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.WATCHDOG, id=names.WATCHDOG, task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_WATCHDOG_INTERVAL)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)
        ),
    )
