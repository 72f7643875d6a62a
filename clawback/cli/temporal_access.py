"""How commands reach Temporal.

Connect, call the gateway, and turn what can go wrong into sentences.
"""

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from clawback.cli.exits import ExitCode, Failure
from clawback.settings import load_settings
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.gateway import Gateway, NoSuchWorkflow
from clawback.temporal.updates import NoWorkerAnswered, UpdateRefused

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


def call_gateway(question: Callable[[Gateway], Awaitable[T]]) -> T:
    """Connect, ask the gateway, and give the answer.

    Raises:
        Failure: there is no server, no worker, no such workflow, or it refused.
        KeyboardInterrupt: somebody interrupted it while it waited for a worker.

    """
    settings = load_settings()

    async def answered() -> T:
        return await question(Gateway(await connect(settings)))

    try:
        return asyncio.run(answered())
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
