"""Makes many calls to the server, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from temporalio.service import RPCError

from clawback.temporal.workflow_calls import (
    NoSuchWorkflow,
    NoWorkerAnswered,
    QueryFailed,
    UpdateRefused,
    WorkflowFailed,
)

T = TypeVar("T")
R = TypeVar("R")

UNANSWERED = (
    NoSuchWorkflow,
    QueryFailed,
    UpdateRefused,
    WorkflowFailed,
    NoWorkerAnswered,
    RPCError,
)
"""The errors of a call that are about one workflow, or may be."""
CONCURRENT_READS = 12
CONCURRENT_SIGNALS = 24
"""Enough to keep the server busy, few enough to leave capacity to others."""
GRACE = timedelta(seconds=5)
"""How long calls that have begun in time may take: cancelling one may repeat what it did."""


@dataclass(frozen=True)
class Answers(Generic[T]):
    """The answers by the id of the workflow, and the errors of those that gave none."""

    given: Mapping[str, T]
    errors: Mapping[str, Exception]

    @property
    def unanswered(self) -> dict[str, str]:
        """Why there is no answer, by the id of the workflow."""
        return {id_: describe_error(error) for id_, error in self.errors.items()}

    def without(self, kind: type[Exception]) -> "Answers[T]":
        """The same without the errors of one kind, which are no news."""
        others = {id_: one for id_, one in self.errors.items() if not isinstance(one, kind)}
        return Answers(self.given, others)

    def require_all(self) -> list[T]:
        """Return every answer; raise the first error if there is one."""
        for error in self.errors.values():
            raise error
        return list(self.given.values())

    def require_any(self) -> None:
        """Raise the first error if nobody answered."""
        for error in self.errors.values():
            if not self.given:
                raise error


async def gather_limited(
    call: Callable[[R], Awaitable[T]], items: Iterable[R], most: int = CONCURRENT_READS
) -> list[T]:
    """Call something for every item, `most` at a time; return the results in order.

    Raises:
        Exception: what the first call that fails raises.

    """
    slots = asyncio.Semaphore(most)

    async def limited(item: R) -> T:
        async with slots:
            return await call(item)

    return list(await asyncio.gather(*map(limited, items)))


async def call_until(
    call: Callable[[R], Awaitable[object]], items: Iterable[R], most: int, deadline: float
) -> list[R]:
    """Call something for every item, `most` at a time, until a time of the event loop's clock.

    Return the items that are left: not begun, or cancelled because they took much longer. At least
    `most` are begun, so whoever repeats what is left comes to an end.

    Raises:
        Exception: what the first call that fails raises; the others are cancelled.

    """
    left = dict(enumerate(items))
    waiting = iter(tuple(left.items()))
    now = asyncio.get_running_loop().time

    async def work() -> None:
        for number, item in waiting:  # shared: each item is taken by one of the tasks
            await call(item)
            del left[number]
            if now() >= deadline:
                return

    tasks = [asyncio.create_task(work()) for _ in range(min(most, len(left)))]
    if not tasks:
        return []
    patience = max(deadline - now(), 0) + GRACE.total_seconds()
    try:
        done, _ = await asyncio.wait(tasks, timeout=patience, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    for task in done:
        task.result()
    return list(left.values())


async def call_each(call: Callable[[str], Awaitable[T]], ids: Sequence[str]) -> Answers[T]:
    """Call something for every id; both results are in the order of the ids.

    One that fails does not stop the others.
    """

    async def answer(id_: str) -> T | Exception:
        try:
            return await call(id_)
        except UNANSWERED as error:
            return error

    results = dict(zip(ids, await gather_limited(answer, ids), strict=True))
    return Answers(
        given={id_: one for id_, one in results.items() if not isinstance(one, Exception)},
        errors={id_: one for id_, one in results.items() if isinstance(one, Exception)},
    )


def describe_error(error: Exception) -> str:
    """Say in one line why a workflow did not answer."""
    return error.message if isinstance(error, RPCError) else str(error)
