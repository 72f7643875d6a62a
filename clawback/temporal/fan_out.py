"""Makes many calls to the server, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
