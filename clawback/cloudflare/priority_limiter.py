"""How many requests may be under way at once, and who goes next when there are more.

The most urgent, then whoever came first.

What is under way is all that a process may not know of the server's counter. So this bounds how far
several workers that share one budget can be off together: by so many requests each.
"""

import asyncio
import heapq
from itertools import count


class PriorityLimiter:
    """A line before a door through which `most` may be at once. A lower rank goes first."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    async def enter(self, rank: int) -> None:
        """Wait for a place; who enters must leave."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the next in line."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
