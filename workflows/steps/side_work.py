"""Steps of a case that are carried out while it goes on: nothing else waits for them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SideWork:
    """What is carried out beside the main loop of a case. `wake` is called whenever some ends.

    A failure belongs to the workflow: its loop raises it.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being carried out."""
        return bool(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry something out from now on."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def raise_failure(self) -> None:
        """Raise the first failure, if there was one."""
        if self._failure is not None:
            raise self._failure

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()
        self._wake()
