"""Answers a form that is sent twice, or sent again after a lost answer, with its first answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_REMEMBERS: Final = timedelta(minutes=10)
_MOST_REMEMBERED: Final = 200


@dataclass
class OnceOnly(Generic[T]):
    """Does a thing once for each key, also if the same form is sent again meanwhile."""

    now: Callable[[], datetime]
    _done: dict[str, tuple[datetime, "asyncio.Task[T]"]] = field(default_factory=dict)

    async def run(self, key: str, do: Callable[[], Awaitable[T]]) -> T:
        """Return what `do` gave for this key, the first time."""
        self._forget()
        known = self._done.get(key)
        if known is None:
            known = self.now(), asyncio.ensure_future(_await(do))
            self._done[key] = known
        # Whoever goes away while sending must not stop what has begun.
        return await asyncio.shield(known[1])

    def _forget(self) -> None:
        ages = sorted(self._done.items(), key=lambda one: one[1][0])
        too_many = len(ages) - _MOST_REMEMBERED
        for number, (key, (at, task)) in enumerate(ages):
            if not task.done():
                continue
            is_old = number < too_many or self.now() - at > _REMEMBERS
            # What failed may be tried again.
            if is_old or task.cancelled() or task.exception() is not None:
                del self._done[key]


async def _await(do: Callable[[], Awaitable[T]]) -> T:
    return await do()
