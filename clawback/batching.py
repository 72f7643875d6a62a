"""Joins calls made at the same moment into one (group commit).

Used for bulk requests to the API, for reservations, and for writes that wait for a disk. One call
is under way at a time; whatever is asked meanwhile goes into the next one.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
PAUSE = timedelta(milliseconds=20)
"""How long the first call waits for others to join."""
BUSY = timedelta(milliseconds=250)
"""How long the next batch waits once calls come together: long enough to join a burst."""


class NotSent(RuntimeError):
    """The items of a caller were certainly not sent: the batches before them took too long."""


@dataclass
class _Call(Generic[T, R]):
    items: Sequence[T]
    send_until: float
    answer: asyncio.Future[R]
    context: contextvars.Context


class Batcher(Generic[T, R]):
    """Joins calls of `ask` into calls of `send`, of at most `most` items each.

    Every caller gets the whole answer of its batch. `spoilt` are the errors by which one item can
    fail the batch for all: after one of those, the halves of the batch are sent separately, down to
    the items of one caller. `patience` is how long after a caller asked its items may still be
    sent; None: however long.
    """

    def __init__(  # noqa: PLR0913 - keyword-only options, all with defaults
        self,
        send: Callable[[Sequence[T]], Awaitable[R]],
        most: int,
        *,
        pause: timedelta = PAUSE,
        busy: timedelta = BUSY,
        spoilt: tuple[type[Exception], ...] = (),
        patience: timedelta | None = None,
    ) -> None:
        self._send = send
        self._spoilt = spoilt
        self._most = most
        self._pause = pause.total_seconds()
        self._busy = busy.total_seconds()
        self._patience = patience.total_seconds() if patience else float("inf")
        self._waiting: list[_Call[T, R]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, items: Sequence[T]) -> R:
        """Send items together with whatever else is asked now; return the answer of the batch.

        A caller that is cancelled does not withdraw its items.

        Raises:
            Exception: what `send` raised. One of `spoilt` reaches only the callers it is meant for.
            NotSent: the batches before took too long.

        """
        loop = asyncio.get_running_loop()
        send_until, context = loop.time() + self._patience, contextvars.copy_context()
        call = _Call[T, R](items, send_until, loop.create_future(), context)
        call.answer.add_done_callback(_retrieve_exception)
        self._waiting.append(call)
        if self._running is None:
            # In no caller's context: log events and spans of a batch would name the first caller.
            self._running = loop.create_task(self._run(), context=contextvars.Context())
        return await asyncio.shield(call.answer)

    async def _run(self) -> None:
        try:
            await asyncio.sleep(self._pause)
            while batch := self._next_batch():
                await self._send_batch(batch)
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

    async def _send_batch(self, batch: Sequence[_Call[T, R]]) -> None:
        """Send what still may be sent; a long-lost caller may have been answered elsewhere."""
        now = asyncio.get_running_loop().time()
        _fail([call for call in batch if call.send_until < now], NotSent("waited for too long"))
        batch = [call for call in batch if call.send_until >= now]
        if not batch:
            return

        items = [item for call in batch for item in call.items]
        context = batch[0].context if len(batch) == 1 else None
        try:
            answer = await asyncio.create_task(_call(self._send, items), context=context)
        except BaseException as error:  # noqa: BLE001 - every error belongs to the callers
            if isinstance(error, self._spoilt) and len(batch) > 1:
                middle = len(batch) // 2
                await self._send_batch(batch[:middle])
                await self._send_batch(batch[middle:])
            else:
                _fail(batch, error)
        else:
            for call in batch:
                if not call.answer.done():
                    call.answer.set_result(answer)


async def _call(send: Callable[[Sequence[T]], Awaitable[R]], items: Sequence[T]) -> R:
    return await send(items)


def _retrieve_exception(answer: asyncio.Future[R]) -> None:
    """Mark an error as seen: asyncio would log one whose caller was cancelled."""
    if not answer.cancelled():
        answer.exception()


def _fail(batch: Sequence[_Call[T, R]], error: BaseException) -> None:
    for call in batch:
        if isinstance(error, asyncio.CancelledError):
            call.answer.cancel()
        elif not call.answer.done():
            call.answer.set_exception(error)
