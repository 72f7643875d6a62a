"""Limits the requests in flight and lets waiting ones in by rank, then in order of arrival.

A process cannot know what its own requests in flight will do to the server's counter. This limit
therefore also bounds how far several workers that share one rate limit can exceed it together.
"""

import asyncio
import heapq
from itertools import count


class PriorityLimiter:
    """Admits at most `max_inside` at once; a lower rank goes first."""

    def __init__(self, max_inside: int) -> None:
        self._free = max_inside
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    async def enter(self, rank: int) -> None:
        """Wait for a slot; whoever enters must leave."""
        if self._free:
            self._free -= 1
            return

        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # The counter keeps arrival order within a rank, and futures from being compared.
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The slot was given to us in the same loop iteration as the cancellation: pass it on.
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the slot to the next in line."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            # Whoever was cancelled while waiting is still in the heap.
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
