"""Runs blocking functions in threads that never delay the exit of the process."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function in a thread of its own; a caller that is cancelled abandons it.

    `asyncio.run` waits at its end for the threads of `asyncio.to_thread`, so a signal could not
    end a command while such a thread computes or waits.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            value = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - every error belongs to the caller
            _call(_set_exception, error)
        else:
            _call(_set_result, value)

    def _call(callback: Callable[..., None], value: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(callback, result, value)

    threading.Thread(target=run, daemon=True).start()
    return await result


def _set_result(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _set_exception(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
