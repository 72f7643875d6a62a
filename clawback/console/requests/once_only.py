"""Answers what is sent twice, or sent again after a lost answer, with its first answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_REMEMBERS: Final = timedelta(minutes=10)
_MOST_REMEMBERED: Final = 200


class OtherRequest(ValueError):
    """A key was used for another thing before."""


@dataclass(frozen=True)
class _Done(Generic[T]):
    at: datetime
    about: str
    task: "asyncio.Task[T]"


@dataclass
class OnceOnly(Generic[T]):
    """Does a thing once for each key, also if the same is sent again meanwhile.

    What raised, or gave a value for which `is_failure`, may be tried again under the same key.
    """

    now: Callable[[], datetime]
    most: int = _MOST_REMEMBERED
    is_failure: Callable[[T], bool] = lambda _: False
    _done: dict[str, _Done[T]] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether a thing was done, or is being done, for this key."""
        self._forget()
        return key in self._done

    async def run(self, key: str, do: Callable[[], Awaitable[T]], about: str = "") -> T:
        """Return what `do` gave for this key, the first time.

        Raises:
            OtherRequest: that was about something else.

        """
        self._forget()
        known = self._done.get(key)
        if known is None:
            known = _Done(self.now(), about, asyncio.ensure_future(_await(do)))
            self._done[key] = known
        elif known.about != about:
            raise OtherRequest(key)
        # Whoever goes away while sending must not stop what has begun.
        return await asyncio.shield(known.task)

    def _forget(self) -> None:
        ages = sorted(self._done.items(), key=lambda one: one[1].at)
        too_many = len(ages) - self.most
        for number, (key, one) in enumerate(ages):
            if not one.task.done():
                continue
            is_old = number < too_many or self.now() - one.at > _REMEMBERS
            if is_old or self._has_failed(one.task):
                del self._done[key]

    def _has_failed(self, task: "asyncio.Task[T]") -> bool:
        if task.cancelled() or task.exception() is not None:
            return True
        return self.is_failure(task.result())


async def _await(do: Callable[[], Awaitable[T]]) -> T:
    return await do()
