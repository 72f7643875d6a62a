"""`clawback stop`: the kill switch."""

import asyncio
from datetime import UTC, datetime

from temporalio.client import Client

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.guard import Stop
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.kill_switch import LEASE
from clawback.temporal.workflow_calls import UpdateRefused

_MARGIN = 0.2


def stop(*, by: By = "", reason: Reason = "", as_json: AsJson = False) -> int:
    """Stop containment on all workers.

    Once this returns, no further change leaves any worker. Polling, case decisions and undo
    continue.
    """
    actor = require_actor(Verb.STOP, by)

    async def stop_and_wait(client: Client) -> Stop:
        stopped = await _stop(GuardGateway(client), actor, reason)
        # a worker may still act on its last look at the switch
        await asyncio.sleep(LEASE.total_seconds() + _MARGIN)
        return stopped

    with show_progress("Waiting until no worker can act"):
        stopped = call_temporal(stop_and_wait)

    if as_json:
        print_json(stopped.model_dump(mode="json"))
    else:
        why = f": {stopped.reason}" if stopped.reason else ""
        print_text(
            f"Stopped by {stopped.by} at {stopped.at:%Y-%m-%d %H:%M:%S} UTC{why}. "
            "`clawback resume` ends it."
        )

    return ExitCode.OK


async def _stop(guard: GuardGateway, actor: Actor, reason: str) -> Stop:
    """Turn the kill switch on. A guard that has ended leaves it on until somebody resumes."""
    try:
        return await guard.stop(actor, reason)
    except UpdateRefused as error:
        await guard.close_queues(str(error))
        return Stop(by="clawback", at=datetime.now(UTC), reason=f"the guard was lost: {error}")
