"""Typed calls on cases: signal, list, query, approve, deny."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from pydantic_core import PydanticSerializationError
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases import CasePlan, CaseSnapshot, CaseStart, CaseState, CaseTiming, Match, Proposal
from clawback.model.size import split_by_size
from clawback.temporal import names
from clawback.temporal.case_index import CaseFilter, CaseLine, case_attributes, read_case_line
from clawback.temporal.workflow_calls import query_workflow, update_workflow

_REFUSALS = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,  # too large, or a run that takes no more signals
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Answers that are about one case; anything else is about the server."""
_CONCURRENT_QUERIES = 12
_ALL_CASES = CaseFilter()


class CaseRefused(RuntimeError):
    """One case does not take matches now; other cases may."""


class CaseGateway:
    """Typed access to cases over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def signal_matches(
        self, plan: CasePlan, matches: Sequence[Match], timing: CaseTiming
    ) -> None:
        """Send matches to a case and start the case if it is not open.

        Safe to repeat: a case drops matches that it has.

        Raises:
            CaseRefused: this case does not take them now.
            RPCError: the server does not answer.

        """
        try:
            for batch in split_by_size(matches):
                await self._signal(plan, batch, timing)
        except RPCError as error:
            if error.status not in _REFUSALS:
                raise
            raise CaseRefused(f"{plan.case_id}: {error.message}") from error
        except PydanticSerializationError as error:
            raise CaseRefused(f"{plan.case_id}: {error}") from error

    async def count(self, state: CaseState | None = None) -> int:
        """Count the open cases, all or those in one state. The index may lag by a second."""
        query = f"WorkflowType = '{names.CASE}' AND ExecutionStatus = 'Running'"
        if state is not None:
            query += f" AND {names.STATE_ATTRIBUTE} = '{state}'"
        return (await self.client.count_workflows(query)).count

    async def find(self, wanted: CaseFilter = _ALL_CASES, limit: int = 100) -> list[CaseLine]:
        """List cases, open and closed, the newest first.

        The server returns open cases before closed ones, so beyond `limit` the closed ones are
        missing first. A filter on sender, message or mailbox needs a running worker.

        Raises:
            RPCError: the server does not answer, or a case that must be queried does not.

        """
        if wanted.needs_snapshots:
            found = [line async for line in self._find_by_snapshot(wanted, limit)]
        else:
            executions = self.client.list_workflows(wanted.query, limit=limit)
            found = [read_case_line(execution) async for execution in executions]
        return sorted(found, key=lambda line: line.opened_at, reverse=True)[:limit]

    async def find_held_first(self, wanted: CaseFilter, limit: int) -> list[CaseLine]:
        """List cases as `find` does, but those that wait for approval before all others."""
        if wanted.state is not None or wanted.needs_snapshots:
            return await self.find(wanted, limit)

        held = await self.find(replace(wanted, state=CaseState.HELD), limit)
        known = {line.run for line in held}
        others = [line for line in await self.find(wanted, limit) if line.run not in known]
        return [*held, *others][:limit]

    async def status(self, case_id: str) -> CaseStart:
        """Read the plan and the snapshot of a case, open or closed.

        Raises:
            NoSuchWorkflow: there is no such case.

        """
        handle = self.client.get_workflow_handle(case_id)
        return await query_workflow(handle, names.STATUS, CaseStart)

    async def proposal(self, case_id: str) -> Proposal:
        """Read what an open case would do on approval, and the digest of exactly that.

        Raises:
            NoSuchWorkflow: there is no such case.

        """
        handle = self.client.get_workflow_handle(case_id)
        return await query_workflow(handle, names.PROPOSAL, Proposal)

    async def approve(self, case_id: str, by: str, digest: str, reason: str = "") -> str:
        """Approve what a held case proposed under `digest`; return its new state.

        The state stays `held` where a second approver must agree.

        Raises:
            NoSuchWorkflow: there is no such open case.
            UpdateRefused: the case is not held, has changed since, or this person has approved it.

        """
        handle = self.client.get_workflow_handle(case_id)
        return await update_workflow(handle, names.APPROVE, [by, reason, digest], str)

    async def deny(self, case_id: str, by: str, reason: str = "") -> str:
        """Deny a held case, whatever it proposes; return its new state.

        Raises:
            NoSuchWorkflow: there is no such open case.
            UpdateRefused: the case is not held.

        """
        handle = self.client.get_workflow_handle(case_id)
        return await update_workflow(handle, names.DENY, [by, reason], str)

    async def _signal(self, plan: CasePlan, batch: Sequence[Match], timing: CaseTiming) -> None:
        await self.client.start_workflow(
            names.CASE,
            CaseStart(plan=plan, timing=timing),
            id=plan.case_id,
            task_queue=names.WORKFLOW_QUEUE,
            start_signal=names.MATCHED,
            start_signal_args=[batch],
            search_attributes=case_attributes(plan),
            static_summary=f"{plan.title or plan.rule} ({plan.mode})",
        )

    async def _find_by_snapshot(self, wanted: CaseFilter, limit: int) -> AsyncIterator[CaseLine]:
        found = 0
        batch: list[WorkflowExecution] = []
        async for execution in self.client.list_workflows(wanted.query):
            batch.append(execution)
            if len(batch) == _CONCURRENT_QUERIES:
                for line in await self._select(batch, wanted):
                    yield line
                    found += 1
                batch = []
                if found >= limit:
                    return

        for line in await self._select(batch, wanted):
            yield line

    async def _select(
        self, executions: Sequence[WorkflowExecution], wanted: CaseFilter
    ) -> list[CaseLine]:
        snapshots = await asyncio.gather(*map(self._snapshot, executions))
        return [
            read_case_line(execution)
            for execution, snapshot in zip(executions, snapshots, strict=True)
            if wanted.holds_for(snapshot)
        ]

    async def _snapshot(self, execution: WorkflowExecution) -> CaseSnapshot | None:
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            start: CaseStart = await handle.query(names.STATUS, result_type=CaseStart)
        except RPCError as error:
            why = f"{execution.id} did not answer; this filter needs a running worker"
            raise RPCError(why, error.status, error.raw_grpc_status) from error
        return start.snapshot
