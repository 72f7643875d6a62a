"""Queries, updates and results of workflows, with errors that a caller can tell apart.

Exception
├─ LookupError
│  ├─ NoSuchWorkflow      no workflow of that id was ever started
│  └─ NothingKnown        an undo names nothing that is known (see `undo_gateway`)
├─ ValueError
│  ├─ UpdateRefused       the workflow refused the update, or has ended; the text says why
│  │  └─ WorkflowEnded    it has ended
│  └─ HistoryUnreadable   the history of a case cannot be read (see `case_history`)
├─ RuntimeError
│  ├─ NoWorkerAnswered    no worker accepted the update in time; one may still do so
│  ├─ QueryFailed         a worker could not answer the query, or its answer cannot be read
│  ├─ WorkflowFailed      the workflow failed, or somebody ended it: there is no result
│  └─ PartsUndecided      parts of a campaign did not take a decision (see `case_gateway`)
└─ ConnectionError
   └─ TemporalUnreachable no server answers (see `client`)
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.service import RPCError, RPCStatusCode

from clawback.model.texts import bounded

T = TypeVar("T")
_LONGEST = 200

ACCEPT_TIMEOUT = timedelta(minutes=1)
"""How long a person waits until a worker accepts an update.

The SDK's own timeout applies to each request, and the SDK repeats requests for ever.
"""


class NoSuchWorkflow(LookupError):
    """No workflow of that id was ever started."""


class UpdateRefused(ValueError):
    """The workflow refused an update, or has ended; the text is the reason."""


class WorkflowEnded(UpdateRefused):
    """The workflow has ended, and takes no updates."""


class QueryFailed(RuntimeError):
    """A worker could not answer a query, or its answer cannot be read; the text says why."""


class WorkflowFailed(RuntimeError):
    """The workflow failed, or somebody ended it: there is no result. The text says how."""


class NoWorkerAnswered(RuntimeError):
    """No worker accepted the update in time. A worker that starts later may still run it."""


async def query_workflow(
    handle: WorkflowHandle[Any, Any],
    query: str,
    result_type: type[T],
    args: Sequence[Any] = (),
    rpc_timeout: timedelta | None = None,
) -> T:
    """Query a workflow, running or closed.

    Raises:
        NoSuchWorkflow: no workflow of that id exists.
        QueryFailed: this workflow cannot answer; others may.
        RPCError: the server or the workers do not answer.

    """
    try:
        result: T = await handle.query(
            query, args=args, result_type=result_type, rpc_timeout=rpc_timeout
        )
    except RPCError as error:
        raise _missing_or_same(handle, error) from error
    except WorkflowQueryFailedError as error:
        raise QueryFailed(f"{handle.id} cannot answer: {bounded(str(error), _LONGEST)}") from error
    except ValueError as error:
        # Another key or another release: the text of such an error may quote mail.
        why = f"the answer of {handle.id} cannot be read: {type(error).__name__}"
        raise QueryFailed(why) from error
    return result


async def await_result(handle: WorkflowHandle[Any, T]) -> T:
    """Wait until a workflow ends.

    Raises:
        NoSuchWorkflow: no workflow of that id exists.
        WorkflowFailed: it ended without a result.
        RPCError: the server does not answer.

    """
    try:
        return await handle.result()
    except RPCError as error:
        raise _missing_or_same(handle, error) from error
    except WorkflowFailureError as error:
        why = bounded(str(error.cause), _LONGEST)
        raise WorkflowFailed(f"{handle.id} ended without a result: {why}") from error


async def update_workflow(  # noqa: PLR0913 - what an update is sent with
    handle: WorkflowHandle[Any, Any],
    update: str,
    args: list[Any],
    result_type: type[T],
    accept_timeout: timedelta | None = ACCEPT_TIMEOUT,
    *,
    update_id: str | None = None,
) -> T:
    """Send an update to a workflow and wait for its result.

    Raises:
        NoSuchWorkflow: no workflow of that id exists.
        UpdateRefused: the workflow refused the update, or has ended.
        NoWorkerAnswered: no worker accepted it within `accept_timeout`.
        RPCError: the server does not answer.

    """
    try:
        return await send_update(
            handle, update, args, result_type, accept_timeout, update_id=update_id
        )
    except RPCError as error:
        raise await _explain(handle, error) from error


async def send_update(  # noqa: PLR0913 - what an update is sent with
    handle: WorkflowHandle[Any, Any],
    update: str,
    args: list[Any],
    result_type: type[T],
    accept_timeout: timedelta | None = ACCEPT_TIMEOUT,
    *,
    update_id: str | None = None,
) -> T:
    """Send an update as `update_workflow` does, without explaining a missing workflow.

    Raises:
        UpdateRefused: the workflow refused the update.
        NoWorkerAnswered: no worker accepted it within `accept_timeout`.
        RPCError: there is no such open workflow, or the server does not answer.

    """
    sent = handle.start_update(
        update,
        args=args,
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        id=update_id,
        result_type=result_type,
    )
    return await await_update(sent, accept_timeout)


async def await_update(
    sent: Awaitable[WorkflowUpdateHandle[T]], accept_timeout: timedelta | None
) -> T:
    """Wait for the result of an update that was started with stage ACCEPTED.

    Only acceptance is bounded (None: not at all). An accepted update is awaited for as long as it
    runs.

    Raises:
        UpdateRefused: the workflow refused the update.
        NoWorkerAnswered: no worker accepted it in time.
        RPCError: there is no such open workflow, or the server does not answer.

    """
    limit = asyncio.timeout(None if accept_timeout is None else accept_timeout.total_seconds())
    try:
        async with limit:
            accepted = await sent
        return await accepted.result()
    except WorkflowUpdateFailedError as error:
        raise UpdateRefused(str(error.cause)) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        # The SDK reports a cancellation as the same error as its own timeout.
        if not limit.expired():
            raise
        raise NoWorkerAnswered(
            "no worker answers; check that one is running. A worker that starts later may still "
            "run the request, so check the state before you repeat it"
        ) from error


async def _explain(handle: WorkflowHandle[Any, Any], error: RPCError) -> Exception:
    """Tell a workflow that has ended from one that never was: the server says NOT_FOUND to both."""
    if error.status is not RPCStatusCode.NOT_FOUND:
        return error

    try:
        closed_at = (await handle.describe()).close_time
    except RPCError as unknown:
        return _missing_or_same(handle, unknown)

    return WorkflowEnded(f"{handle.id} ended at {closed_at:%Y-%m-%d %H:%M:%S} UTC")


def _missing_or_same(handle: WorkflowHandle[Any, Any], error: RPCError) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NoSuchWorkflow(f"there is no {handle.id}")
    return error
