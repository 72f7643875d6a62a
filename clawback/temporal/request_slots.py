"""Activity slots that are given out only while the rate limit lets requests through.

A worker takes a task from its queue when it has a slot. So while requests must wait, the tasks wait
in the queue: the most urgent first, without a timer, a retry or a heartbeat for each of them, and
on none of the workers (ADR 31).
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from clawback.cloudflare import EmailSecurity, Share
from clawback.temporal import names

QUEUE_RATES = {names.CONTAIN_QUEUE: 75.0, names.RECLASSIFY_QUEUE: 25.0, names.READ_QUEUE: 100.0}
"""Activities per second that a queue gives out, to all workers together.

One address may make 200 requests per second, and these queues hold activities that make them; no
response header says so (ADR 3).
"""
CONCURRENT_SINGLE_REQUESTS = 20
"""Reclassifications at once: as many as the client has requests in flight."""
SHORT_DELAY = timedelta(seconds=3)
"""A delay that a request itself waits for, see `transport.MAX_DELAY`."""
_LOOK_AGAIN = 0.5
"""Seconds. What other requests and other workers use, and every reset, changes what may be sent."""
_UNUSED_SLOTS = 1
"""Slots of the kinds of tasks that such a worker does not run."""


class RequestSlots(CustomSlotSupplier):
    """Gives out as many slots as `headroom` says, counting those that are taken.

    Slots of polls that wait for a task are taken too. A task that comes late, when the limit has
    been used up meanwhile, is refused by the client and comes back; there are few of them.
    """

    def __init__(self, headroom: Callable[[], int]) -> None:
        self._headroom = headroom
        self._taken = 0
        self._counting = threading.Lock()
        self._turn = asyncio.Lock()
        self._released = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def is_closed(self) -> bool:
        """Whether the rate limit lets no request through now."""
        return self._headroom() <= 0

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait until a request may be sent. One waits for the limit, the others for their turn."""
        async with self._turn:
            while not self._take():
                self._released.clear()
                try:
                    async with asyncio.timeout(_LOOK_AGAIN):
                        await self._released.wait()
                except TimeoutError:
                    continue
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Refuse: tasks come from the queue only, which people can close."""
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Do nothing: a slot counts from when it is given out."""

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Take a slot back. The SDK calls this from a thread of its own."""
        with self._counting:
            self._taken -= 1
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._released.set)

    def _take(self) -> bool:
        headroom = self._headroom()
        with self._counting:
            is_free = self._taken < headroom
            self._taken += is_free
        return is_free


def slots_of_queues(api: EmailSecurity, most: int) -> dict[str, RequestSlots]:
    """Build the slots of each queue that waits for the rate limit, `most` for those that share."""
    return {
        names.CONTAIN_QUEUE: slots_for_shared_requests(api, most),
        names.RECLASSIFY_QUEUE: slots_for_single_requests(
            api, Share.RECLASSIFYING, CONCURRENT_SINGLE_REQUESTS
        ),
    }


def slots_for_shared_requests(api: EmailSecurity, most: int) -> RequestSlots:
    """Build slots for tasks that share requests: all of them, or none while everything waits.

    What people approved may use more of the rate limit than rules may, so it decides.
    """
    return RequestSlots(lambda: most if api.delay(Share.APPROVED) <= SHORT_DELAY else 0)


def slots_for_single_requests(api: EmailSecurity, share: Share, most: int) -> RequestSlots:
    """Build slots for tasks that send a request each: as many as may be sent at once."""
    return RequestSlots(lambda: min(most, api.headroom(share)))


def tuner_of(slots: RequestSlots) -> WorkerTuner:
    """Build the tuner of a worker that runs activities only."""
    unused = FixedSizeSlotSupplier(_UNUSED_SLOTS)
    return WorkerTuner.create_composite(
        workflow_supplier=unused,
        activity_supplier=slots,
        local_activity_supplier=unused,
        nexus_supplier=unused,
    )
