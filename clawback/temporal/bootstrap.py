"""What must stand on the server before the first workflow.

Search attributes and the watchdog's schedule. Safe to repeat.
"""

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
_WATCH_EVERY = timedelta(minutes=5)
_ALLOWED = {
    RPCStatusCode.ALREADY_EXISTS,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNIMPLEMENTED,
}


async def prepare(client: Client) -> None:
    """Register the search attributes and the watchdog schedule; what is there is left as it is.

    A server that lets nobody register attributes over this API (Temporal Cloud) must have them
    already: the first case says so.
    """
    await _register(client)
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(WATCHDOG_SCHEDULE, _watchdog())


async def _register(client: Client) -> None:
    attributes = {name: _type(kind) for name, kind in names.SEARCH_ATTRIBUTES.items()}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(search_attributes=attributes, namespace=client.namespace)
        )
    except RPCError as error:
        if error.status not in _ALLOWED:
            raise


def _type(kind: str) -> IndexedValueType.ValueType:
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")


def _watchdog() -> Schedule:
    action = ScheduleActionStartWorkflow(
        names.WATCHDOG, id="watchdog", task_queue=names.WORKFLOW_QUEUE
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_WATCH_EVERY)]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)
        ),
    )
