"""Runs one function in a process of its own: pages stay quick, and what it took comes back whole.

Loading rules takes 40 MiB and seconds of computing, a backtest much more. The child has limits of
time and memory, and ends with its job.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

T = TypeVar("T")
Report = Callable[[Any], None]

_MIB: Final = 1024 * 1024
_GRACE: Final = 5
"""Seconds after which a child ends by itself, should its console be gone."""


class JobFailed(RuntimeError):
    """A job ended without a result; the text says why, for people."""


@dataclass(frozen=True)
class JobLimits:
    """What one job may take."""

    seconds: int
    mebibytes: int = 1024


async def run_in_child(
    limits: JobLimits,
    function: Callable[..., T],
    *args: Any,
    tell: Report = lambda _: None,
) -> T:
    """Call `function(report, *args)` in a new process; what it reports goes to `tell`.

    Function, arguments and result must be picklable. Cancelling this ends the process.

    Raises:
        JobFailed: it failed, took too long or too much memory.

    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    work = (sending, limits, function, args)
    process = context.Process(target=_work, args=work, daemon=True)
    await asyncio.to_thread(process.start)
    sending.close()
    try:
        async with asyncio.timeout(limits.seconds):
            result: T = await _receive(receiving, tell)
            return result
    except TimeoutError:
        raise JobFailed(f"it took longer than {limits.seconds:,} s and was ended") from None
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        receiving.close()


async def _receive(receiving: Connection, tell: Report) -> Any:
    while True:
        try:
            kind, value = await asyncio.to_thread(receiving.recv)
        except (EOFError, OSError):
            raise JobFailed("its process ended early; it may have lacked memory") from None
        if kind == "result":
            return value
        if kind == "error":
            raise JobFailed(value)
        tell(value)


def _work(
    sending: Connection, limits: JobLimits, function: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    # Private writable memory: address space would count what libraries only reserve.
    most = limits.mebibytes * _MIB
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    signal.alarm(limits.seconds + _GRACE)
    try:
        result = function(lambda value: sending.send(("progress", value)), *args)
        sending.send(("result", result))
    except MemoryError:
        sending.send(("error", f"it needs more than {limits.mebibytes:,} MiB of memory"))
    except JobFailed as error:
        sending.send(("error", str(error)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the page says so
        sending.send(("error", f"it failed: {type(error).__name__}"))
    finally:
        sending.close()
        # Without interpreter shutdown: native libraries of this process may crash in it.
        os._exit(0)
