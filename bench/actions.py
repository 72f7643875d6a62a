"""Counts Temporal Actions, the unit Temporal Cloud bills, from the histories on a server.

Counted as https://docs.temporal.io/cloud/actions has it: 1 for a start, a signal, a
signal-with-start, a timer, an accepted update, an upsert of search attributes, a continue-as-new,
and for each time an activity starts (so for each retry); 2 for a child workflow; 3 for a start by a
schedule; 1 for all the local activities of one workflow task. Not in a history, so not counted:
heartbeats (an activity of less than two seconds sends none) and queries.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

_AT_ONCE = 16
_PLAIN = {
    EventType.EVENT_TYPE_TIMER_STARTED: ("timer", 1),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: ("signal", 1),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: ("update", 1),
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: ("search attribute upsert", 1),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: ("continue as new", 1),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: ("child workflow", 2),
}
Kind = tuple[str, str]
"""A workflow type and what was done in it."""


async def count_actions(client: Client, since: datetime, until: datetime) -> Counter[Kind]:
    """Count the actions of every workflow on the server whose event lies in that time."""
    room, total = asyncio.Semaphore(_AT_ONCE), Counter[Kind]()

    async def one(execution: WorkflowExecution) -> None:
        async with room:
            total.update(await _of(client, execution, since, until))

    async with asyncio.TaskGroup() as group:
        async for execution in client.list_workflows():
            group.create_task(one(execution))
    return total


async def _of(
    client: Client, execution: WorkflowExecution, since: datetime, until: datetime
) -> Counter[Kind]:
    found = Counter[Kind]()
    async for what, number, at in _counted(client, execution):
        if since <= at <= until:
            found[execution.workflow_type, what] += number
    return found


async def _counted(
    client: Client, execution: WorkflowExecution
) -> AsyncIterator[tuple[str, int, datetime]]:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    local_in: int | None = None
    scheduled = "TemporalScheduledById" in execution.search_attributes
    async for event in handle.fetch_history_events():
        at = event.event_time.ToDatetime(UTC)
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            task = event.marker_recorded_event_attributes.workflow_task_completed_event_id
            if task != local_in:
                local_in = task
                yield "local activities of a task", 1, at
        else:
            what, number = _worth(event, scheduled=scheduled)
            if number:
                yield what, number, at


def _worth(event: HistoryEvent, *, scheduled: bool) -> tuple[str, int]:
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            return _start(event, scheduled=scheduled)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED if event.event_id == 2:
            return "signal", 0  # signal-with-start: one action together with the start
        case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            return "activity", event.activity_task_started_event_attributes.attempt
    return _PLAIN.get(event.event_type, ("", 0))


def _start(event: HistoryEvent, *, scheduled: bool) -> tuple[str, int]:
    started = event.workflow_execution_started_event_attributes
    if started.HasField("parent_workflow_execution") or started.continued_execution_run_id:
        return "start", 0  # counted with what the parent, or the run before, did
    return ("start by schedule", 3) if scheduled else ("start", 1)
