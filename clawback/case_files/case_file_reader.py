"""Collects the file of a case: from the case, the index, the guard, its undo and the rules."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from temporalio.client import Client, WorkflowExecutionDescription

from clawback.case_files.case_file import CaseFile
from clawback.cases import CaseStart, CaseState, Limit
from clawback.guard import Budgets
from clawback.rules.tools.rule_facts import RuleFacts
from clawback.temporal.case_entries import CaseEntry, read_entries
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.fan_out import UNANSWERED
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.ui_links import history_page, workflows_page
from clawback.temporal.undo_gateway import UndoGateway

T = TypeVar("T")


@dataclass(frozen=True)
class CaseFileReader:
    """Reads the files of cases over one client.

    `rules` are those that are loaded now, None if they cannot be read; `ui` is the address of the
    Temporal UI, None if there is none.
    """

    client: Client
    rules: RuleFacts | None = None
    ui: str | None = None

    async def read(self, case_id: str, *, run: str | None = None, whole: bool = True) -> CaseFile:
        """Collect everything about one case, by its full id.

        What is unavailable is left out. Unless it is to be `whole`, further parts of a large
        campaign are only counted. `run` is that of an earlier campaign of the case.

        Raises:
            NoSuchWorkflow: the server has no such case.
            QueryFailed: no part of it can answer.
            RPCError: the server or the workers do not answer.

        """
        cases = CaseGateway(self.client)
        if run is not None:
            reading = await cases.read_run(case_id, run)
        else:
            reading = await (cases.read(case_id) if whole else cases.outline(case_id))
        case, snapshot = reading.case, reading.case.snapshot
        is_held = snapshot is not None and snapshot.state is CaseState.HELD and run is None
        (described, entry), proposal, undone, guard = await asyncio.gather(
            self._describe(case_id, run),
            _or_none(cases.proposal(case_id)) if is_held else _nothing(),
            UndoGateway(self.client).result_of_case(snapshot.uid) if snapshot else _nothing(),
            _or_none(GuardGateway(self.client).status()),
        )
        ui = workflows_page(self.ui, self.client.namespace)

        return CaseFile(
            case=case,
            run=described.run_id,
            ended=entry.ended,
            closed_at=described.close_time,
            proposal=proposal,
            undone=undone,
            guard=guard,
            limits=self._limits(case),
            budgets=self.rules.budgets if self.rules else Budgets(),
            current=self.rules.versions.get(case.plan.rule) if self.rules else None,
            link=history_page(ui, described.id, described.run_id),
            unanswered=reading.unanswered,
            parts=reading.summaries,
        )

    async def _describe(
        self, case_id: str, run: str | None
    ) -> tuple[WorkflowExecutionDescription, CaseEntry]:
        handle = self.client.get_workflow_handle(case_id, run_id=run)
        described = await handle.describe()
        (entry,) = await read_entries(self.client.data_converter, [described.raw_info])
        return described, entry

    def _limits(self, case: CaseStart) -> tuple[Limit, ...]:
        """The limits of the rule as it is now, as for a reservation."""
        rules = self.rules or RuleFacts()
        return rules.limits_of(case.plan.rule, case.plan.limits)


async def _nothing() -> None:
    return None


async def _or_none(answer: Awaitable[T]) -> T | None:
    try:
        return await answer
    except UNANSWERED:
        return None
