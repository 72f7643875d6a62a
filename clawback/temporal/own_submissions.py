"""Which submissions are our own.

Every reclassification leaves a mark on the Temporal server before it is asked for (ADR 0011).
"""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

from temporalio.service import RPCError

from clawback.cloudflare import errors
from clawback.ingest.join import postfix_id_of
from clawback.model.events import Event
from clawback.model.messages import Target
from clawback.model.times import parse_time
from clawback.temporal.gateway import Gateway

_SKEW = timedelta(minutes=1)


class OwnSubmissions:
    """Marks reclassifications and recognises them among the submissions.

    All workers share the marks; they outlast every restart.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def mark(self, target: Target, disposition: str) -> None:
        """Note that a reclassification of a message is about to be asked for; safe to repeat.

        Raises:
            errors.Unavailable: the Temporal server does not answer, so that nothing may be asked
                for yet.

        """
        try:
            await self._gateway.mark_submission(_mark(_postfix_id(target), disposition))
        except RPCError as error:
            raise errors.Unavailable("own submissions", str(error)) from error

    async def is_ours(self, event: Event) -> bool:
        """Whether a submission asks for what we asked for, of the same message, and not before we did.

        Raises:
            errors.Unavailable: the Temporal server does not answer.

        """
        disposition = str(event.record.get("requested_disposition") or "")
        requested_at = parse_time(event.record.get("requested_at")) or datetime.now(UTC)
        named = {postfix_id_of(event), *(_postfix_id(target) for target in event.targets)} - {None}
        try:
            marked = await asyncio.gather(
                *(self._gateway.submission_marked_at(_mark(str(one), disposition)) for one in named)
            )
        except RPCError as error:
            raise errors.Unavailable("own submissions", str(error)) from error
        return any(at is not None and requested_at >= at - _SKEW for at in marked)


def _postfix_id(target: Target) -> str:
    return target.id.partition("-")[0]


def _mark(postfix_id: str, disposition: str) -> str:
    return hashlib.sha256(
        f"{postfix_id}\0{disposition.upper()}".encode("utf-8", "surrogatepass")
    ).hexdigest()[:32]
