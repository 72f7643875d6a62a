"""Signals end a command, whatever it is doing."""

import asyncio
import os
import signal

import pytest

from clawback.cli.interrupts import run_interruptible


async def test_a_swallowed_cancellation_is_repeated() -> None:
    """Work that survives the first cancellation is cancelled again."""
    cancellations = 0

    async def work() -> None:
        nonlocal cancellations
        os.kill(os.getpid(), signal.SIGTERM)
        while cancellations < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancellations += 1
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run_interruptible(work(), stop_timeout=0.05)
    assert cancellations == 2


async def test_work_that_ends_by_itself_returns_its_result() -> None:
    """Without a signal nothing is cancelled."""

    async def work() -> int:
        return 7

    assert await run_interruptible(work(), stop_timeout=1) == 7
