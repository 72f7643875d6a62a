"""Says what a rehearsal waits for: cases that respond, pollers that have not read everything."""

from datetime import datetime

from temporalio.client import Client

from clawback.cases import CaseState
from clawback.model.durations import format_duration
from clawback.model.events import EventKind
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.poller_gateway import PollerGateway
from clawback.temporal.workflow_calls import NoSuchWorkflow

_NAMED_ACTIVITIES = 3


async def describe_wait(client: Client, polled_since: datetime) -> str:
    """Describe what keeps a rehearsal from being complete; empty if nothing does.

    Raises:
        RPCError: the server does not answer.

    """
    reasons = [await _describe_cases(client), await _describe_shards(client)]
    reasons += [await _describe_poller(client, source, polled_since) for source in EventKind]
    return "; ".join(filter(None, reasons))


async def _describe_cases(client: Client) -> str:
    cases = CaseGateway(client)
    responding = await cases.count(CaseState.RESPONDING)
    if not responding:
        return ""

    found = await cases.find(CaseFilter(state=CaseState.RESPONDING), limit=1)
    text = f"{responding:,} cases that respond"
    return f"{text}, such as {await _describe_case(client, found[0].id)}" if found else text


async def _describe_shards(client: Client) -> str:
    waiting = sum(one.waiting for one in await CorrelationGateway(client).statuses())
    return f"{waiting:,} matches of correlations that wait for their case" if waiting else ""


async def _describe_case(client: Client, case_id: str) -> str:
    raw = (await client.get_workflow_handle(case_id).describe()).raw_description
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
