"""Typed calls on pollers: start, status, poll now, pause, resume, rewind."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from clawback.model.events import EventKind
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.model.poll_windows import first_snapshot
from clawback.model.polling import PollerSnapshot, PollerStart, PollerStatus
from clawback.temporal import names
from clawback.temporal.orders import sign_order
from clawback.temporal.workflow_calls import query_workflow, update_workflow

_QUERY_TIMEOUT = timedelta(seconds=5)
_POLL_PAUSE = timedelta(milliseconds=200)


class Beginning(StrEnum):
    """Where a poller begins to read."""

    RUNNING = "running"
    """It is running already."""
    FIRST = "first"
    """No poller of this source has ever run here."""
    INHERITED = "inherited"
    """Where its last run ended."""
    EARLIER = "earlier"
    """Where its last run began: that run does not say where it ended."""
    LOST = "lost"
    """A last run exists, but says nothing: mail between its end and `start` may be missed."""


@dataclass(frozen=True, slots=True)
class Started:
    """How a poller was started; `why` says what could not be read, and `run` of which run."""

    beginning: Beginning
    run: str = ""
    why: str = ""


class PollerGateway:
    """Typed access to pollers over one Temporal client; one poller per source.

    Every method but `start` raises `NoSuchWorkflow` if that poller was never started, and
    `UpdateRefused` if the poller refuses.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    async def start(self, start: PollerStart) -> Started:
        """Start the poller of a source unless it is running.

        It inherits the state of the last run, however that ended: from a query, which replays the
        run, else from the argument that the run began with, which may read some mail again.
        """
        last = await self._find_last_run(start.source)
        if last is not None and last.status is WorkflowExecutionStatus.RUNNING:
            return Started(Beginning.RUNNING, last.run_id)

        memory, started = None, Started(Beginning.FIRST)
        if last is not None:
            memory, started = await self._read_last_state(last)

        await self.client.start_workflow(
            names.POLLER,
            start.model_copy(update={"memory": memory}),
            id=names.poller_id(start.source),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"polls {start.source}",
        )
        return started

    async def status(self, source: EventKind) -> PollerStatus:
        """Read the lanes, backlog, counters and state of a poller."""
        return await query_workflow(self._handle(source), names.STATUS, PollerStatus)

    async def poll_now(self, source: EventKind) -> PollerStatus:
        """Poll at once; return when a live window that began after this call has been read.

        A backlog goes on beside it; the status says how much is left.
        """
        status = await self.request_poll(source)
        number = status.requested
        # A paused poller would never complete the request.
        while status.completed < number and status.state != "paused":
            await asyncio.sleep(_POLL_PAUSE.total_seconds())
            status = await self.status(source)
        return status

    async def request_poll(self, source: EventKind) -> PollerStatus:
        """Ask for a poll at once, without waiting for it."""
        return await update_workflow(self._handle(source), names.POLL_NOW, [], PollerStatus)

    async def pause(self, source: EventKind, actor: Actor, reason: str) -> PollerStatus:
        """Stop polling a source until it is resumed."""
        return await self._order(names.PAUSE, Verb.PAUSE_POLLING, source, actor, reason=reason)

    async def resume(self, source: EventKind, actor: Actor, reason: str = "") -> PollerStatus:
        """Continue polling a source."""
        return await self._order(names.RESUME, Verb.RESUME_POLLING, source, actor, reason=reason)

    async def rewind(
        self, source: EventKind, to: datetime, actor: Actor, reason: str = ""
    ) -> PollerStatus:
        """Read again from a point in time on; cases drop matches that they have."""
        return await self._order(
            names.REWIND, Verb.REWIND_POLLING, source, actor, reason=reason, content=to.isoformat()
        )

    async def _order(  # noqa: PLR0913 - what an order consists of
        self,
        update: str,
        verb: Verb,
        source: EventKind,
        actor: Actor,
        *,
        reason: str,
        content: str = "",
    ) -> PollerStatus:
        handle = self._handle(source)
        signed = sign_order(self.client, verb, handle.id, actor, reason=reason, content=content)
        return await update_workflow(handle, update, [signed], PollerStatus)

    # ---- the state of the last run

    async def _find_last_run(self, source: EventKind) -> WorkflowExecution | None:
        try:
            return await self._handle(source).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

        # Somebody deleted the newest run: an older one, which continued as new, may be left.
        query = f"WorkflowId = {names.quote_value(names.poller_id(source))}"
        runs = [run async for run in self.client.list_workflows(query)]
        return max(runs, key=lambda run: run.start_time, default=None)

    async def _read_last_state(
        self, last: WorkflowExecution
    ) -> tuple[PollerSnapshot | None, Started]:
        handle = self.client.get_workflow_handle(last.id, run_id=last.run_id)
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT.total_seconds()):
                memory: PollerSnapshot = await handle.query(
                    names.SNAPSHOT, result_type=PollerSnapshot
                )
        except Exception as error:  # noqa: BLE001 - whatever prevents the answer, the input is next
            return await self._read_first_state(handle, last, error)

        return memory, Started(Beginning.INHERITED, last.run_id)

    async def _read_first_state(
        self, handle: WorkflowHandle[Any, Any], last: WorkflowExecution, error: Exception
    ) -> tuple[PollerSnapshot | None, Started]:
        why = type(error).__name__
        try:
            start = await self._read_argument(handle)
        except Exception as unreadable:  # noqa: BLE001 - nothing is left to read
            return None, Started(Beginning.LOST, last.run_id, f"{why}, {type(unreadable).__name__}")

        memory = start.memory or first_snapshot(start, last.start_time)
        return memory, Started(Beginning.EARLIER, last.run_id, why)

    async def _read_argument(self, handle: WorkflowHandle[Any, Any]) -> PollerStart:
        converter = self.client.data_converter.with_context(
            WorkflowSerializationContext(self.client.namespace, handle.id)
        )
        # The first event holds the argument; the rest of a long history is not fetched.
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            (start,) = await converter.decode(payloads, [PollerStart])
            return PollerStart.model_validate(start)
        raise LookupError("the run has no history")

    def _handle(self, source: EventKind) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(names.poller_id(source))
