"""Access to Temporal for commands: connect, call a gateway, turn errors into messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from clawback.cli.exits import ExitCode, Failure
from clawback.settings import Settings, load_settings
from clawback.temporal.account_binding import ForeignAccount, require_account
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.guard_gateway import GuardGateway
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
        client = await connect(settings)
        await _check_account(client, settings)
        return await call(client)

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


async def _check_account(client: Client, settings: Settings) -> None:
    """Refuse the data of another account, if both accounts are known."""
    view = await GuardGateway(client).look()
    binding = view.memo.binding if view is not None and view.memo is not None else None
    if binding is not None and settings.account is not None:
        require_account(binding.account, settings.account, client.namespace)
