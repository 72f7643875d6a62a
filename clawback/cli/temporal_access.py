"""How commands reach Temporal.

Connect, call a gateway, and turn errors into exit codes and messages.
"""

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from clawback.cli.exits import ExitCode, Failure
from clawback.settings import load_settings
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.workflow_calls import NoSuchWorkflow, NoWorkerAnswered, UpdateRefused

T = TypeVar("T")

By = Annotated[
    str,
    typer.Option(
        "--by", help="Who decides; recorded in the case and in the audit.", show_default="the user"
    ),
]


def operating_system_user() -> str:
    """Name who runs the command."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return f"unknown@{socket.gethostname()}"


def call_temporal(call: Callable[[Client], Awaitable[T]]) -> T:
    """Connect to Temporal, make a call, and return its result.

    Raises:
        Failure: there is no server, no worker, no such workflow, or it refused.
        KeyboardInterrupt: somebody interrupted it while it waited for a worker.

    """
    settings = load_settings()

    async def connect_and_call() -> T:
        return await call(await connect(settings))

    try:
        return asyncio.run(connect_and_call())
    except TemporalUnreachable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except RPCError as error:
        raise Failure(
            f"the Temporal server did not answer: {error.message}", ExitCode.ENVIRONMENT
        ) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        if isinstance(error.__cause__, asyncio.CancelledError):
            raise KeyboardInterrupt from error
        raise Failure("the Temporal server did not answer in time", ExitCode.ENVIRONMENT) from error
    except NoWorkerAnswered as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except (NoSuchWorkflow, UpdateRefused) as error:
        raise Failure(str(error), ExitCode.NO) from error
