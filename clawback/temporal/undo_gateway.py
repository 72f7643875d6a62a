"""Typed calls on undo: find what can be undone, start it, follow it.

The undo runs in a workflow: once it is started, it does not depend on the caller.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from clawback.cases import CaseStart
from clawback.cases.undo_plan import UndoPlan, UndoScope, plan_undo
from clawback.model.payload import Payload
from clawback.temporal import names

_CONCURRENT_QUERIES = 12


class CaseUndoRequest(Payload):
    """One case to undo: the run in which it was found, the first run of its chain, the scope."""

    case: str
    run: str
    first_run: str
    scope: UndoScope


class UndoSummary(Payload):
    """What an undo did, counted.

    `done` and `failed` count messages, blocks, policies and reclassifications; `under_way` counts
    cases that another undo is working on.
    """

    cases: int = 0
    done: int = 0
    failed: int = 0
    under_way: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[str]) -> "UndoSummary":
        """Count the outcomes of one case."""
        failures = [outcome.startswith(("failed", "unknown")) for outcome in outcomes]
        return cls(cases=1, done=len(failures) - sum(failures), failed=sum(failures))

    def plus(self, other: "UndoSummary") -> "UndoSummary":
        """Add two summaries."""
        sums = {
            name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields
        }
        return UndoSummary(**sums)


class UndoRequest(Payload):
    """Cases to undo, and what earlier runs of the workflow have done."""

    cases: tuple[CaseUndoRequest, ...]
    done: UndoSummary = UndoSummary()
    total: int = 0


class UndoProgress(Payload):
    """How far an undo is: cases in total, cases left, and what was done so far."""

    total: int
    left: int
    undone: UndoSummary


@dataclass(frozen=True)
class UndoCandidate:
    """A case of which something can be undone, and its undo plan."""

    request: CaseUndoRequest
    plan: UndoPlan
    is_open: bool


class CaseUnreadable(RuntimeError):
    """A case did not answer a query; the text names it and says why."""


class UndoGateway:
    """Typed access to undo over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def find(
        self,
        scope: UndoScope,
        *,
        case: str | None = None,
        rule: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[UndoCandidate]:
        """Find every case of which something in `scope` can be undone.

        Narrow it by case id, by rule, or to cases that were open at or after `since`.

        Raises:
            CaseUnreadable: a case did not answer: no worker runs, or its history is damaged.

        """
        pending: set[asyncio.Task[UndoCandidate | None]] = set()
        async for execution in self.client.list_workflows(_query(case, rule, since)):
            pending.add(asyncio.create_task(self._read(execution, scope)))
            if len(pending) >= _CONCURRENT_QUERIES:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (candidate := task.result()) is not None:
                        yield candidate

        for candidate in await asyncio.gather(*pending):
            if candidate is not None:
                yield candidate

    async def start(self, requests: Iterable[CaseUndoRequest]) -> str:
        """Start to undo cases; return the id of the workflow that does it."""
        cases = tuple(requests)
        handle = await self.client.start_workflow(
            names.UNDO,
            UndoRequest(cases=cases),
            id=f"{names.UNDO}/{uuid.uuid4().hex[:12]}",
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=f"undoes {len(cases)} cases",
        )
        return handle.id

    async def progress(self, undo_id: str) -> UndoProgress:
        """Read how far an undo is."""
        handle = self.client.get_workflow_handle(undo_id)
        progress: UndoProgress = await handle.query(names.STATUS, result_type=UndoProgress)
        return progress

    async def result(self, undo_id: str) -> UndoSummary:
        """Wait for an undo to end."""
        handle = self.client.get_workflow_handle(undo_id, result_type=UndoSummary)
        summary: UndoSummary = await handle.result()
        return summary

    async def result_of_case(self, case_uid: str) -> UndoSummary | None:
        """Read what the undo of a case did; None if there was none or it has not ended."""
        handle = self.client.get_workflow_handle(
            names.case_undo_id(case_uid), result_type=UndoSummary
        )
        try:
            described = await handle.describe()
            if described.status is not WorkflowExecutionStatus.COMPLETED:
                return None
            summary: UndoSummary = await handle.result()
        except RPCError:
            return None
        return summary

    async def _read(self, execution: WorkflowExecution, scope: UndoScope) -> UndoCandidate | None:
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            start: CaseStart = await handle.query(names.STATUS, result_type=CaseStart)
        except RPCError as error:
            raise CaseUnreadable(
                f"{execution.id} did not answer: {error.message}; undo needs a running worker"
            ) from error

        if start.snapshot is None:
            return None
        plan = plan_undo(start.plan, start.snapshot, scope)
        if not plan.size and not plan.irreversible:
            return None

        request = CaseUndoRequest(
            case=execution.id,
            run=execution.run_id,
            first_run=plan.uid.rpartition("/")[2],
            scope=scope,
        )
        return UndoCandidate(request, plan, execution.status is WorkflowExecutionStatus.RUNNING)


def _query(case: str | None, rule: str | None, since: datetime | None) -> str:
    clauses = [f"WorkflowType = '{names.CASE}' AND ExecutionStatus != 'ContinuedAsNew'"]
    clauses += [f"WorkflowId = {names.quote_value(case)}"] if case else []
    clauses += [f"{names.RULE_ATTRIBUTE} = {names.quote_value(rule)}"] if rule else []
    if since:
        clauses.append(f"(ExecutionStatus = 'Running' OR CloseTime >= '{since:%FT%TZ}')")
    return " AND ".join(clauses)
