"""Finds the case before this one, if somebody ended it on the server while its parts were open."""

from datetime import UTC, datetime, timedelta

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from clawback.cases import CaseStart, CaseState
from clawback.cases.lost_case import LostCase
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import UNANSWERED, describe_error
from clawback.temporal.workflow_calls import query_workflow

_PATIENCE = timedelta(seconds=30)
_LOST = frozenset(
    {
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.FAILED,
        WorkflowExecutionStatus.TIMED_OUT,
    }
)
_NEVER = datetime.min.replace(tzinfo=UTC)


async def read_lost_case(cases: CaseGateway, case_id: str) -> LostCase:
    """Read what the last run of a case knew, if it was lost and left parts that are open.

    A run that was terminated still answers: a worker replays it.

    Raises:
        RPCError: the server does not list its workflows.

    """
    parts = {
        int(line.id.rpartition("/")[2]): CaseState(line.state)
        for line in await cases.find_parts(case_id)
        if line.closed_at is None
    }
    if not parts:
        return LostCase()

    last = await _find_last_run(cases, case_id)
    if last is not None and last.status not in _LOST:
        return LostCase()  # it was undone, and so are its parts
    if last is None:
        return LostCase(why=_explain(len(parts), "the server keeps no record of it"))

    handle = cases.client.get_workflow_handle(case_id, run_id=last.run_id)
    try:
        known = await query_workflow(handle, names.STATUS, CaseStart, rpc_timeout=_PATIENCE)
    except UNANSWERED as error:
        return LostCase(why=_explain(len(parts), describe_error(error)))
    if known.snapshot is None or known.snapshot.state.is_final:
        return LostCase()
    return LostCase(snapshot=known.snapshot, parts=parts)


async def _find_last_run(cases: CaseGateway, case_id: str) -> WorkflowExecution | None:
    query = (
        f"WorkflowId = {names.quote_value(case_id)} AND WorkflowType = '{names.CASE}' "
        "AND ExecutionStatus NOT IN ('Running', 'ContinuedAsNew')"
    )
    # Sorted here: SQL visibility stores refuse ORDER BY.
    runs = [one async for one in cases.client.list_workflows(query)]
    return max(runs, key=lambda one: one.close_time or _NEVER, default=None)


def _explain(parts: int, why: str) -> str:
    return (
        f"the case before this one was ended on the server while {parts} parts of its campaign "
        f"are open, and what it did is not known ({why}): its messages may be acted on again"
    )
