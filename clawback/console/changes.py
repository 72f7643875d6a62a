"""Which things have changed, for pages that wait to hear of it. Events carry no content.

A topic is the id of a case or undo, `list` or `stop`; its version counts changes since the start.
"""

import asyncio
from collections import Counter
from typing import Final

_MOST_TOPICS: Final = 50_000


class Changes:
    """Versions of topics, and whoever waits for the next one."""

    def __init__(self) -> None:
        self._versions: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def version(self, topic: str) -> int:
        """Return how often a topic has changed."""
        return self._versions.get(topic, 0)

    def announce(self, topic: str) -> None:
        """Say that a topic has changed."""
        if len(self._versions) >= _MOST_TOPICS:
            self._versions.clear()
        self._versions[topic] += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, topic: str, seen: int, seconds: float) -> int:
        """Wait until a topic has another version than `seen`, or some seconds; return its version.

        A version that falls, after a restart or an overflow, is another one too.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while self.version(topic) == seen:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                break
        return self.version(topic)
