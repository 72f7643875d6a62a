"""Says what a rehearsal waits for: cases with something to do, pollers that have more to read.

What a case publishes is not enough: it says that it is settled before its last records are written,
and still says so when it has matches that no worker has taken. The server knows what is pending.
"""

import asyncio
from datetime import datetime

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.temporal import names
from clawback.temporal.case_entries import list_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

_NAMED_ACTIVITIES = 3
_AT_ONCE = 24


async def is_idle(client: Client) -> bool:
    """Whether no case has anything to do but to wait, and no correlation has matches for a case.

    Describes every open case, so ask when that is likely: 10,000 take some seconds.

    Raises:
        RPCError: the server does not answer.

    """
    if await CaseGateway(client).count(CaseState.RESPONDING):
        return False
    if any(one.waiting for one in await CorrelationGateway(client).statuses()):
        return False
    return await find_busy(client) is None


async def describe_wait(client: Client, polled_since: datetime) -> str:
    """Describe what keeps a rehearsal from being complete; empty if nothing does.

    Raises:
        RPCError: the server does not answer.

    """
    reasons = [await _describe_cases(client), await _describe_shards(client)]
    reasons += [await _describe_poller(client, source, polled_since) for source in EventKind]
    return "; ".join(filter(None, reasons))


async def find_busy(client: Client) -> str | None:
    """Find an open case, or a part, that has a workflow task or an activity pending; its id.

    Those are matches and decisions that no worker has taken, records that are being written, and
    matches that are being forwarded to other parts.
    """
    query = f"WorkflowType IN ('{names.CASE}', '{names.CASE_PART}') AND ExecutionStatus = 'Running'"
    waiting = iter([(one.id, one.run) async for one in list_entries(client, query)])
    busy: list[str] = []

    async def work() -> None:
        for id_, run in waiting:  # shared: each is taken by one of the tasks
            if busy:
                return
            found = await _describe(client, id_, run)
            if found.HasField("pending_workflow_task") or found.pending_activities:
                busy.append(id_)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return busy[0] if busy else None


async def _describe(client: Client, id_: str, run: str = "") -> DescribeWorkflowExecutionResponse:
    # Not through the handle of the SDK, which decodes everything.
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=id_, run_id=run)
    )
    return await client.workflow_service.describe_workflow_execution(request, retry=True)


async def _describe_cases(client: Client) -> str:
    cases = CaseGateway(client)
    responding = await cases.count(CaseState.RESPONDING)
    if not responding:
        busy = await find_busy(client)
        return await _describe_case(client, busy) if busy is not None else ""

    found = await cases.find(CaseFilter(state=CaseState.RESPONDING), limit=1)
    text = f"{responding:,} cases that respond"
    return f"{text}, such as {await _describe_case(client, found[0].id)}" if found else text


async def _describe_shards(client: Client) -> str:
    waiting = sum(one.waiting for one in await CorrelationGateway(client).statuses())
    return f"{waiting:,} matches of correlations that wait for their case" if waiting else ""


async def _describe_case(client: Client, case_id: str) -> str:
    raw = await _describe(client, case_id)
    activities = [
        f"{activity.activity_type.name} (attempt {activity.attempt})"
        for activity in raw.pending_activities[:_NAMED_ACTIVITIES]
    ]
    if raw.HasField("pending_workflow_task"):
        activities.append(f"a workflow task (attempt {raw.pending_workflow_task.attempt})")
    return f"{case_id}, which waits for {' and '.join(activities) or 'a timer'}"


async def _describe_poller(client: Client, source: EventKind, since: datetime) -> str:
    try:
        status = await PollerGateway(client).status(source)
    except NoSuchWorkflow:
        return f"the poller of {source}, which has not started"
    if status.has_read(since):
        return ""
    backlog = f", with a backlog of {format_duration(status.backlog)}" if status.backlog else ""
    return f"the poller of {source}, which has read until {status.cursor:%H:%M:%S}{backlog}"
