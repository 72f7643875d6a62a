"""Polling with a deadline. Tests wait with these functions and never sleep for a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")
PATIENCE = timedelta(minutes=2)
_INTERVAL = 0.05


async def eventually(
    question: Callable[[], Awaitable[T | None]], patience: timedelta = PATIENCE
) -> T:
    """Await `question()` until its answer is not None, and return that answer.

    Raises:
        TimeoutError: there was no answer in time.

    """
    async with asyncio.timeout(patience.total_seconds()):
        while (answer := await question()) is None:  # noqa: ASYNC110 - the state is outside this process
            await asyncio.sleep(_INTERVAL)
    return answer


async def until(holds: Callable[[], bool], patience: timedelta = PATIENCE) -> None:
    """Wait until a condition holds, and let other tasks run meanwhile.

    Raises:
        TimeoutError: it did not hold in time.

    """
    async with asyncio.timeout(patience.total_seconds()):
        while not holds():  # noqa: ASYNC110 - the state is outside this process
            await asyncio.sleep(_INTERVAL)


def wait_until(
    holds: Callable[[], bool],
    patience: timedelta = PATIENCE,
    explain: Callable[[], str] = lambda: "the condition did not hold in time",
) -> None:
    """Block until a condition holds; `explain()` gives the message of the failure."""
    deadline = time.monotonic() + patience.total_seconds()
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(_INTERVAL)
