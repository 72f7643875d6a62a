"""`clawback stop`: the kill switch."""

import asyncio
from typing import Annotated

import typer
from temporalio.client import Client

from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say, working
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.guard import Stop
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.kill_switch import LEASE

_MARGIN = 0.2


def stop(
    *,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Annotated[str, typer.Option("--reason", help="Why; recorded in the audit.")] = "",
    as_json: AsJson = False,
) -> int:
    """Stop all containment: when this returns, no further change leaves any worker.

    Polling, planning and undo go on.
    """

    async def stopped(client: Client) -> Stop:
        answer = await GuardGateway(client).stop(by, reason)
        await asyncio.sleep(LEASE.total_seconds() + _MARGIN)
        return answer

    with working("Waiting until no worker may act any more"):
        said = call_temporal(stopped)
    if as_json:
        print_json(said.model_dump(mode="json"))
    else:
        why = f": {said.reason}" if said.reason else ""
        say(
            f"Stopped by {said.by} at {said.at:%Y-%m-%d %H:%M:%S} UTC{why}. Run `clawback resume` to end it."
        )
    return ExitCode.OK
