"""Typed calls for notifications: hand one to the digest of its channel, ask who has answered."""

from datetime import timedelta

from temporalio.client import Client

from clawback.cases import CaseStart, CaseState, NotificationStep
from clawback.cases.digest import Digest, WaitingNotification
from clawback.temporal import names
from clawback.temporal.undo_gateway import UndoProgress
from clawback.temporal.workflow_calls import NoSuchWorkflow, query_workflow

_PATIENCE = timedelta(seconds=30)
"""How long a case may take to answer: it may have to be replayed first."""


class NotificationGateway:
    """What a notification needs of other workflows."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put_off(self, channel: str, waiting: WaitingNotification) -> None:
        """Hand a notification to the digest of its channel. Safe to repeat."""
        await self._client.start_workflow(
            names.DIGEST,
            Digest(channel=channel),
            id=names.digest_id(channel),
            task_queue=names.WORKFLOW_QUEUE,
            start_signal=names.PUT_OFF,
            start_signal_args=[waiting],
        )

    async def is_unanswered(self, step: NotificationStep) -> bool:
        """Whether what a notification reports as held still waits for the same decision.

        Raises:
            QueryFailed: the workflow cannot answer.
            RPCError: the server or the workers do not answer.

        """
        try:
            held_at = await (
                self._undo_held_at(step) if step.context.is_undo else self._case_held_at(step)
            )
        except NoSuchWorkflow:
            return False
        return bool(held_at) and step.episode.startswith(held_at)

    async def read_case(self, step: NotificationStep) -> CaseStart:
        """Read the case, or the part of one, that a notification reports: as it is now.

        Raises:
            NoSuchWorkflow: the server has it no more.
            QueryFailed: it cannot answer.
            RPCError: the server or the workers do not answer.

        """
        handle = self._client.get_workflow_handle(step.context.case)
        return await query_workflow(handle, names.STATUS, CaseStart, rpc_timeout=_PATIENCE)

    async def _case_held_at(self, step: NotificationStep) -> str:
        snapshot = (await self.read_case(step)).snapshot
        is_held = snapshot is not None and snapshot.state is CaseState.HELD
        return f"held {snapshot.held_at:%FT%TZ}" if snapshot is not None and is_held else ""

    async def _undo_held_at(self, step: NotificationStep) -> str:
        handle = self._client.get_workflow_handle(step.context.case)
        progress = await query_workflow(handle, names.STATUS, UndoProgress)
        return f"held {progress.hold.held_at:%FT%TZ}" if progress.hold is not None else ""
