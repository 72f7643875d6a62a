"""What can become of an update that is sent to a workflow.

An answer, a refusal, or nobody who takes it.
"""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)

T = TypeVar("T")

PATIENCE = timedelta(minutes=1)
"""How long people wait for a worker to take what they ask.

The time limit of the SDK is one of each request, and it asks for ever.
"""


class UpdateRefused(ValueError):
    """The workflow refused an update; the text is its reason."""


class NoWorkerAnswered(RuntimeError):
    """No worker took the update in time.

    It is not lost for certain: a worker that comes may still do it.
    """


async def execute_update(sent: Awaitable[WorkflowUpdateHandle[T]], patience: timedelta | None) -> T:
    """Give the answer to an update that is sent so as to be accepted.

    What was accepted is waited for, however long it takes.

    `patience` is how long it may take to be accepted; None is for ever.

    Raises:
        Refused: the workflow refuses it.
        Unheard: nobody took it in time.
        RPCError: there is no such open workflow, or the server does not answer.

    """
    limit = asyncio.timeout(None if patience is None else patience.total_seconds())
    try:
        async with limit:
            accepted = await sent
        return await accepted.result()
    except WorkflowUpdateFailedError as error:
        raise UpdateRefused(str(error.cause)) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        if not limit.expired():
            raise
        raise NoWorkerAnswered(
            "no worker answers (does one run?); one that comes may still do it: look before you ask again"
        ) from error
