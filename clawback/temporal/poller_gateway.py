"""Typed calls on pollers: start, status, poll now, pause, resume, rewind."""

from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from clawback.model.events import EventKind
from clawback.model.polling import PollerStart, PollerStatus
from clawback.temporal import names
from clawback.temporal.workflow_calls import query_workflow, update_workflow


class PollerGateway:
    """Typed access to pollers over one Temporal client; one poller per source.

    Every method but `start` raises `NoSuchWorkflow` if that poller was never started, and
    `UpdateRefused` if the poller refuses.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    async def start(self, start: PollerStart) -> None:
        """Start the poller of a source unless it is running."""
        await self.client.start_workflow(
            names.POLLER,
            start,
            id=names.poller_id(start.source),
            task_queue=names.WORKFLOW_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"polls {start.source}",
        )

    async def status(self, source: EventKind) -> PollerStatus:
        """Read cursor, counters and state of a poller."""
        return await query_workflow(self._handle(source), names.STATUS, PollerStatus)

    async def poll_now(self, source: EventKind) -> PollerStatus:
        """Poll at once; return when a poll that started after this call has read everything."""
        return await update_workflow(
            self._handle(source), names.POLL_NOW, [], PollerStatus, accept_timeout=None
        )

    async def pause(self, source: EventKind, reason: str) -> PollerStatus:
        """Stop polling a source until it is resumed."""
        return await update_workflow(self._handle(source), names.PAUSE, [reason], PollerStatus)

    async def resume(self, source: EventKind) -> PollerStatus:
        """Continue polling a source."""
        return await update_workflow(self._handle(source), names.RESUME, [], PollerStatus)

    async def rewind(self, source: EventKind, to: datetime) -> PollerStatus:
        """Read again from a point in time on; cases drop matches that they have."""
        return await update_workflow(self._handle(source), names.REWIND, [to], PollerStatus)

    def _handle(self, source: EventKind) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(names.poller_id(source))
