"""Lets only one undo answer a reclassification of a case.

Every request makes another submission, and a case may be undone again, or as a whole and by single
messages at the same time. A correction belongs to the undo that starts its mark first, for good,
unless that undo knows that its request had no effect.
"""

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from clawback.cloudflare import errors
from clawback.temporal import names
from clawback.temporal.marks import MARK_LIFETIME, find_mark, mark_key


class Corrections:
    """The marks of corrections. `case` is the uid of a case, `message` an investigate id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def claim(self, case: str, message: str, owner: str) -> bool:
        """Claim a correction for a run of undo; False if it belongs to another run.

        Raises:
            errors.Unavailable: the Temporal server does not answer, so do not send the request.

        """
        id_ = _id_of(case, message)
        try:
            await self._client.start_workflow(
                names.OWN_SUBMISSION,
                id=id_,
                task_queue=names.WORKFLOW_QUEUE,
                # A released mark is terminated, which counts as failed.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                start_delay=MARK_LIFETIME,
                memo={names.OWNER_MEMO: owner},
            )
        except WorkflowAlreadyStartedError:
            return await self._owner_of(id_) == owner
        except RPCError as error:
            raise errors.Unavailable("corrections", str(error)) from error
        return True

    async def release(self, case: str, message: str, owner: str) -> None:
        """Leave a correction to the next undo, because the request certainly had no effect.

        Raises:
            errors.Unavailable: the Temporal server does not answer.

        """
        id_ = _id_of(case, message)
        if await self._owner_of(id_) != owner:
            return
        try:
            await self._client.get_workflow_handle(id_).terminate("the correction was not made")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise errors.Unavailable("corrections", str(error)) from error

    async def _owner_of(self, id_: str) -> str | None:
        try:
            mark = await find_mark(self._client, id_)
        except RPCError as error:
            raise errors.Unavailable("corrections", str(error)) from error
        if mark is None:
            return None
        owner: str | None = await mark.memo_value(names.OWNER_MEMO, None, type_hint=str)
        return owner


def _id_of(case: str, message: str) -> str:
    return names.correction_id(mark_key(case, message))
