"""Recognises submissions that clawback made itself.

Before every reclassification, clawback starts a marker workflow on the Temporal server (ADR 10).
"""

import asyncio
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from clawback.cloudflare import errors
from clawback.model.events import Event, source_of
from clawback.model.messages import Target, postfix_id_of
from clawback.temporal import names
from clawback.temporal.marks import MARK_LIFETIME, find_mark, mark_key

# Cloudflare's clock may be this far behind that of the Temporal server.
_CLOCK_SKEW = timedelta(minutes=1)


class OwnSubmissions:
    """Marks reclassifications and recognises them among submissions.

    All workers share the markers, which survive every restart.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def mark(self, target: Target, disposition: str) -> None:
        """Record that a reclassification of a message is about to be requested; safe to repeat.

        Raises:
            errors.Unavailable: the Temporal server does not answer, so do not send the request.

        """
        try:
            await self._client.start_workflow(
                names.OWN_SUBMISSION,
                id=names.own_submission_id(_marker_key(postfix_id_of(target.id), disposition)),
                task_queue=names.WORKFLOW_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                # A delayed start costs no timer, and no worker runs it before the mark is over.
                start_delay=MARK_LIFETIME,
            )
        except RPCError as error:
            raise errors.Unavailable("own submissions", str(error)) from error

    async def is_ours(self, event: Event) -> bool:
        """Whether a submission asks for the disposition that we asked for, of the same message.

        A submission from before our request is not ours.

        Raises:
            errors.Unavailable: the Temporal server does not answer.

        """
        disposition = str(event.record.get("requested_disposition") or "")
        own = source_of(event).postfix_id(event)
        named = {own, *(postfix_id_of(target.id) for target in event.targets)} - {None}
        keys = [_marker_key(str(postfix_id), disposition) for postfix_id in named]

        try:
            marked = await asyncio.gather(*map(self._marked_at, keys))
        except RPCError as error:
            raise errors.Unavailable("own submissions", str(error)) from error

        return any(at is not None and event.at >= at - _CLOCK_SKEW for at in marked)

    async def _marked_at(self, key: str) -> datetime | None:
        mark = await find_mark(self._client, names.own_submission_id(key))
        return mark.start_time if mark is not None else None


def _marker_key(postfix_id: str, disposition: str) -> str:
    return mark_key(postfix_id, disposition.upper())
