"""Stops containment as people mean it: once this returns, no further change leaves any worker."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from clawback.guard import Stop
from clawback.model.identity import Actor
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.kill_switch import LEASE
from clawback.temporal.workflow_calls import UpdateRefused

_MARGIN: Final = timedelta(milliseconds=200)


async def stop_containment(guard: GuardGateway, actor: Actor, reason: str) -> Stop:
    """Turn the kill switch on and wait until no worker holds a lease any more.

    A guard that has ended leaves the switch on until somebody resumes.

    Raises:
        NoSuchWorkflow: there is no guard.
        NoWorkerAnswered, RPCError: nobody has confirmed it; treat containment as running.

    """
    try:
        stopped = await guard.stop(actor, reason)
    except UpdateRefused as error:
        await guard.close_queues(str(error))
        why = f"the guard was lost: {error}"
        stopped = Stop(by="clawback", at=datetime.now(UTC), reason=why)

    # A worker may still act on its last look at the switch.
    await asyncio.sleep((LEASE + _MARGIN).total_seconds())
    return stopped
