"""Finding what can be undone, and having it undone: what `clawback undo` says to Temporal.

Everything after `start` is durable.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from clawback.cases import CaseStart
from clawback.cases.undo_plan import UndoPlan, UndoScope, plan_undo
from clawback.model.payload import Payload
from clawback.temporal import names

_AT_ONCE = 12


class UndoCase(Payload):
    """One case to undo: its id, the run in which it was found, the first run of that chain, and which part of it."""

    case: str
    run: str
    first_run: str
    scope: UndoScope


class Undone(Payload):
    """What was undone: cases, things done (messages returned, blocks removed, reclassifications answered), things that could not be.

    `under_way` are cases that another undo is at.
    """

    cases: int = 0
    done: int = 0
    failed: int = 0
    under_way: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[str]) -> "Undone":
        """Sum up the outcomes of one case."""
        failures = [outcome.startswith(("failed", "unknown")) for outcome in outcomes]
        return cls(cases=1, done=len(failures) - sum(failures), failed=sum(failures))

    def plus(self, other: "Undone") -> "Undone":
        """Both together."""
        return Undone(
            **{name: getattr(self, name) + getattr(other, name) for name in Undone.model_fields}
        )


class UndoMany(Payload):
    """Cases to undo, and what was undone of them in earlier runs."""

    cases: tuple[UndoCase, ...]
    done: Undone = Undone()
    total: int = 0


class UndoProgress(Payload):
    """How far an undo is."""

    total: int
    left: int
    undone: Undone


@dataclass(frozen=True)
class Undoable:
    """One case as it was found, and what would be taken back of it."""

    found: UndoCase
    work: UndoPlan
    is_open: bool


class Unreadable(RuntimeError):
    """A case whose memory the server could not give; the text names it and says why."""


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
    ) -> AsyncIterator[Undoable]:
        """Find every case (of an id, of a rule, that was open since a moment) of which something would be taken back.

        Raises:
            Unreadable: a case did not give its memory: no worker is running, or its history is
                damaged.

        """
        pending: set[asyncio.Task[Undoable | None]] = set()
        async for execution in self.client.list_workflows(_query(case, rule, since)):
            pending.add(asyncio.create_task(self._read(execution, scope)))
            if len(pending) >= _AT_ONCE:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (one := task.result()) is not None:
                        yield one
        for one in await asyncio.gather(*pending):
            if one is not None:
                yield one

    async def start(self, cases: Iterable[UndoCase]) -> str:
        """Start to undo cases; the id of the workflow that does it, whatever becomes of the caller."""
        chosen = tuple(cases)
        handle = await self.client.start_workflow(
            names.UNDOING,
            UndoMany(cases=chosen),
            id=f"{names.UNDOING}/{uuid.uuid4().hex[:12]}",
            task_queue=names.WORKFLOW_QUEUE,
            static_summary=f"undoes {len(chosen)} cases",
        )
        return handle.id

    async def progress(self, undoing: str) -> UndoProgress:
        """Read how far an undo is."""
        progress: UndoProgress = await self.client.get_workflow_handle(undoing).query(
            names.STATUS, result_type=UndoProgress
        )
        return progress

    async def result(self, undoing: str) -> Undone:
        """Wait for an undo to end."""
        undone: Undone = await self.client.get_workflow_handle(undoing, result_type=Undone).result()
        return undone

    async def of_case(self, uid: str) -> Undone | None:
        """Say what was undone of a case (by its uid).

        None where nothing was, or where it is still under way.
        """
        handle = self.client.get_workflow_handle(f"{names.UNDO}/{uid}", result_type=Undone)
        try:
            described = await handle.describe()
            return (
                await handle.result()
                if described.status is WorkflowExecutionStatus.COMPLETED
                else None
            )
        except RPCError:
            return None

    async def _read(self, execution: WorkflowExecution, scope: UndoScope) -> Undoable | None:
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            start: CaseStart = await handle.query(names.STATUS, result_type=CaseStart)
        except RPCError as error:
            raise Unreadable(
                f"{execution.id} did not answer: {error.message}; undo needs a running worker"
            ) from error
        if start.memory is None:
            return None
        work = plan_undo(start.plan, start.memory, scope)
        if not work.size and not work.left:
            return None
        found = UndoCase(
            case=execution.id,
            run=execution.run_id,
            first_run=work.uid.rpartition("/")[2],
            scope=scope,
        )
        return Undoable(found, work, execution.status is WorkflowExecutionStatus.RUNNING)


def _query(case: str | None, rule: str | None, since: datetime | None) -> str:
    clauses: Mapping[str, Any] = {
        f"WorkflowType = '{names.CASE}' AND ExecutionStatus != 'ContinuedAsNew'": True,
        f"WorkflowId = {names.quoted(case or '')}": case,
        f"{names.RULE_ATTRIBUTE} = {names.quoted(rule or '')}": rule,
        f"(ExecutionStatus = 'Running' OR CloseTime >= '{since:%FT%TZ}')" if since else "": since,
    }
    return " AND ".join(clause for clause, wanted in clauses.items() if wanted)
