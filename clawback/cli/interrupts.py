"""Stops a command at the first SIGINT or SIGTERM, in whatever phase it is."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def run_interruptible(work: Coroutine[Any, Any, T], stop_timeout: float) -> T:
    """Run a coroutine; a signal cancels it, and it has `stop_timeout` seconds to clean up.

    After that it is cancelled again: a library may swallow a cancellation while it handles a
    result.

    Raises:
        CancelledError: a signal came.

    """
    running = asyncio.ensure_future(work)
    is_interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, is_interrupted.set)

    interrupted = asyncio.ensure_future(is_interrupted.wait())
    await asyncio.wait({running, interrupted}, return_when=asyncio.FIRST_COMPLETED)
    while interrupted.done() and not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=stop_timeout)

    return await running
