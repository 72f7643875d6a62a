"""Joins calls that are made at the same moment into one.

Group commit, for bulk requests and for writes that wait for a disk.

One call is under way at a time; whatever is asked meanwhile goes into the next one. It knows
nothing of what it sends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
PAUSE = timedelta(milliseconds=20)
"""How long the first call waits for others."""
BUSY = timedelta(milliseconds=250)
"""How long the next waits once calls come together.

What makes a request of a burst, and nobody notices.
"""


@dataclass
class _Call(Generic[T, R]):
    items: Sequence[T]
    answer: asyncio.Future[R] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Batcher(Generic[T, R]):
    """Gathers calls; `send` makes one call for up to `most` items, and each caller gets the whole answer.

    `spoilt` are the errors by which one item may spoil the call for all: then each caller's items
    are sent by themselves.
    """

    def __init__(
        self,
        send: Callable[[Sequence[T]], Awaitable[R]],
        most: int,
        *,
        pause: timedelta = PAUSE,
        busy: timedelta = BUSY,
        spoilt: tuple[type[Exception], ...] = (),
    ) -> None:
        self._send = send
        self._spoilt = spoilt
        self._most = most
        self._pause = pause.total_seconds()
        self._busy = busy.total_seconds()
        self._waiting: list[_Call[T, R]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, items: Sequence[T]) -> R:
        """Ask for some items, together with whoever else asks now.

        A caller that goes away takes nothing back.

        Raises:
            Exception: what the call raised, to all its callers; one of `spoilt` only to those it is
                meant for.

        """
        call = _Call[T, R](items)
        call.answer.add_done_callback(_heard)
        self._waiting.append(call)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(call.answer)

    async def _run(self) -> None:
        try:
            await asyncio.sleep(self._pause)
            while batch := self._next_batch():
                await self._answer(batch)
                await asyncio.sleep(self._busy if len(batch) > 1 else 0)
        finally:
            self._running = None

    def _next_batch(self) -> list[_Call[T, R]]:
        batch: list[_Call[T, R]] = []
        room = self._most
        while self._waiting and (not batch or len(self._waiting[0].items) <= room):
            call = self._waiting.pop(0)
            room -= len(call.items)
            batch.append(call)
        return batch

    async def _answer(self, batch: Sequence[_Call[T, R]]) -> None:
        try:
            answer = await self._send([item for call in batch for item in call.items])
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the callers
            if isinstance(error, self._spoilt) and len(batch) > 1:
                for call in batch:
                    await self._answer([call])
            else:
                _fail(batch, error)
        else:
            for call in batch:
                if not call.answer.done():
                    call.answer.set_result(answer)


def _heard(answer: asyncio.Future[R]) -> None:
    """An error whose caller went away is nobody's.

    Asyncio need not complain that no one took it.
    """
    if not answer.cancelled():
        answer.exception()


def _fail(batch: Sequence[_Call[T, R]], error: BaseException) -> None:
    for call in batch:
        if isinstance(error, asyncio.CancelledError):
            call.answer.cancel()
        elif not call.answer.done():
            call.answer.set_exception(error)
