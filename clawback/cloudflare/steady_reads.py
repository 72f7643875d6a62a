"""Repeats one of many reads in place, so that what was read before it is not read again.

A list of thirty pages, each of which fails once in ten times, is hardly ever read if every failure
starts it over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clawback.cloudflare.errors import RateLimited, Unavailable

T = TypeVar("T")

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each repeat of a read that failed in passing."""
LONGEST_PAUSE = 5.0
"""Seconds that the API may ask to wait; beyond, the caller starts over later and frees its slot."""


async def read_steadily(read: Callable[[], Awaitable[T]]) -> T:
    """Make one read of many; repeat it a few times if it failed in passing.

    Raises:
        ApiError: the read failed each time, for good, or must wait for more than `LONGEST_PAUSE`.

    """
    for pause in PAUSES:
        try:
            return await read()
        except (RateLimited, Unavailable) as error:
            wanted = error.retry_after.total_seconds() if error.retry_after else 0.0
            if wanted > LONGEST_PAUSE:
                raise
            await asyncio.sleep(max(pause, wanted))
    return await read()
