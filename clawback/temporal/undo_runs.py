"""Reads undos that run, wait or have ended. Lists need no worker, progress does."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from clawback.cases.undo_judgement import UndoHold, UndoNote, merge_holds
from clawback.temporal import names
from clawback.temporal.data_converter import PayloadRefused
from clawback.temporal.undo_gateway import UndoGateway, UndoProgress, UndoSummary
from clawback.temporal.workflow_calls import NoSuchWorkflow

MOST_PAGES: Final = 100
_RUNNING: Final = WorkflowExecutionStatus.RUNNING


@dataclass(frozen=True)
class UndoRun:
    """One undo. `number` is what its id has after `undo/`; `pages` are its workflows.

    `hold` is what it waits for; `ended_at` is None while a page runs.
    """

    number: str
    pages: tuple[str, ...]
    note: UndoNote
    started_at: datetime
    ended_at: datetime | None = None
    hold: UndoHold | None = None


@dataclass(frozen=True)
class UndoReading:
    """How far an undo is, and why pages of it do not say so, by their ids."""

    run: UndoRun
    progress: UndoProgress
    unanswered: Mapping[str, str] = field(default_factory=dict)


class UndoRuns:
    """Typed access to undos that were started, over one Temporal client."""

    def __init__(self, client: Client) -> None:
        self._client, self._gateway = client, UndoGateway(client)

    async def list_recent(self, most: int) -> list[UndoRun]:
        """List undos: those that run first, then those that ended last.

        The index may lag by a second.

        Raises:
            RPCError: the server does not answer.

        """
        pages: dict[str, list[WorkflowExecution]] = defaultdict(list)
        query = f"WorkflowType = '{names.UNDO}' AND ExecutionStatus != 'ContinuedAsNew'"
        async for page in self._client.list_workflows(query, page_size=MOST_PAGES):
            number = _number_of(page.id)
            if number not in pages and len(pages) >= most:
                break
            pages[number].append(page)
        return [await _read_run(number, found) for number, found in pages.items()]

    async def find(self, number: str) -> UndoRun:
        """Find one undo, as the server knows it now.

        Raises:
            NoSuchWorkflow: there is none.
            RPCError: the server does not answer.

        """
        first = await self._describe(f"{names.UNDO}/{number}/1")
        note = await _read_note(first)
        others = [
            await self._describe(f"{names.UNDO}/{number}/{page}")
            for page in range(2, min(note.pages, MOST_PAGES) + 1)
        ]
        return await _read_run(number, [first, *others])

    async def read(self, run: UndoRun) -> UndoReading:
        """Read how far an undo is, or what it came to.

        Raises:
            RPCError: the server does not answer.

        """
        if run.ended_at is None:
            pages = await self._gateway.progress(run.pages)
            progress = UndoProgress.total_of(pages.given.values())
            return UndoReading(run, progress, pages.unanswered)

        results = await self._gateway.result(run.pages)
        undone = UndoSummary.total(results.given.values())
        progress = UndoProgress(
            total=run.note.cases, left=0, undone=undone, changes=run.note.changes
        )
        return UndoReading(run, progress, results.unanswered)

    async def _describe(self, id_: str) -> WorkflowExecution:
        try:
            return await self._client.get_workflow_handle(id_).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NoSuchWorkflow(f"there is no {id_.rpartition('/')[0]}") from error
            raise


async def _read_run(number: str, pages: Sequence[WorkflowExecution]) -> UndoRun:
    ordered = sorted(pages, key=lambda page: int(page.id.rpartition("/")[2]))
    holds = [hold for page in pages if (hold := await _read_hold(page)) is not None]
    is_running = any(page.status is _RUNNING for page in pages)
    ends = [page.close_time for page in pages if page.close_time is not None]
    return UndoRun(
        number=number,
        pages=tuple(page.id for page in ordered),
        note=await _read_note(ordered[0]),
        started_at=min(page.start_time for page in pages),
        ended_at=None if is_running or not ends else max(ends),
        hold=merge_holds(holds) if holds and is_running else None,
    )


async def _read_note(page: WorkflowExecution) -> UndoNote:
    try:
        note = await page.memo_value(names.UNDO_MEMO, default=None, type_hint=UndoNote)
    except (ValueError, PayloadRefused):
        note = None
    return note if isinstance(note, UndoNote) else UndoNote(by="")


async def _read_hold(page: WorkflowExecution) -> UndoHold | None:
    try:
        hold = await page.memo_value(names.HOLD_MEMO, default=None, type_hint=UndoHold)
    except (ValueError, PayloadRefused):
        return None
    return hold if isinstance(hold, UndoHold) else None


def _number_of(page: str) -> str:
    return page.removeprefix(f"{names.UNDO}/").rpartition("/")[0]
