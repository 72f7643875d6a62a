"""Access to Temporal for commands: connect, call a gateway, turn errors into messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from clawback.cli.exits import ExitCode, Failure
from clawback.settings import load_settings
from clawback.temporal.account_binding import ForeignAccount, connect_to_own
from clawback.temporal.client import TemporalUnreachable
from clawback.temporal.key_ring import PayloadKeyError
from clawback.temporal.workflow_calls import (
    NoSuchWorkflow,
    NoWorkerAnswered,
    QueryFailed,
    UpdateRefused,
)

T = TypeVar("T")


def call_temporal(call: Callable[[Client], Awaitable[T]]) -> T:
    """Connect to Temporal, make a call, and return its result.

    Raises:
        Failure: there is no server, no worker or no such workflow, or it refused or cannot answer.
        KeyboardInterrupt: Ctrl-C while an update waited for a worker.

    """
    settings = load_settings()

    async def connect_and_call() -> T:
        return await call(await connect_to_own(settings))

    try:
        return asyncio.run(connect_and_call())
    except (TemporalUnreachable, NoWorkerAnswered) as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except (ForeignAccount, PayloadKeyError) as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    except (NoSuchWorkflow, QueryFailed, UpdateRefused) as error:
        raise Failure(str(error), ExitCode.NO) from error
    except RPCError as error:
        message = f"the Temporal server failed: {error.message}"
        raise Failure(message, ExitCode.ENVIRONMENT) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        # the SDK wraps the cancellation by Ctrl-C like a timeout
        if isinstance(error.__cause__, asyncio.CancelledError):
            raise KeyboardInterrupt from error
        message = "the Temporal server did not answer in time"
        raise Failure(message, ExitCode.ENVIRONMENT) from error
