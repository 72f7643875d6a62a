"""Measures CPU time and peak resident memory of process trees."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

EVERY = 0.05
"""Seconds between two samples."""
_LOOK_AROUND = 10
"""Samples between two searches for new children; a search reads all processes of the machine."""


@dataclass(frozen=True)
class Usage:
    """CPU seconds (user and system), and the largest sum of resident bytes in one sample."""

    cpu: float
    peak: int


class Watch:
    """Samples process trees by name while its context is open."""

    def __init__(self, roots: Mapping[str, int | None]) -> None:
        self._trees = {name: _Tree(pid) for name, pid in roots.items() if pid is not None}

    def usage(self, name: str) -> Usage:
        """What the tree of that name used."""
        return self._trees[name].usage

    async def __aenter__(self) -> Self:
        self._sample()
        self._sampling = asyncio.create_task(self._keep_sampling())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sampling.cancel()
        await asyncio.gather(self._sampling, return_exceptions=True)
        for tree in self._trees.values():
            tree.look_around()
        self._sample()

    async def _keep_sampling(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._sample()

    def _sample(self) -> None:
        for tree in self._trees.values():
            tree.sample()


class _Tree:
    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._peak = 0
        self._is_known = False
        self._members: list[psutil.Process] = []
        self._samples = 0

    @property
    def usage(self) -> Usage:
        return Usage(sum(used - self._first[pid] for pid, used in self._last.items()), self._peak)

    def sample(self) -> None:
        if self._samples % _LOOK_AROUND == 0:
            self.look_around()
        self._samples += 1
        resident = 0
        for process in self._members:
            try:
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info().rss
            except psutil.Error:
                continue
            resident += memory
            used = times.user + times.system
            self._first.setdefault(
                process.pid, used if not self._is_known else 0.0
            )  # one that comes later is counted from its start
            self._last[process.pid] = used
        self._is_known = True
        self._peak = max(self._peak, resident)

    def look_around(self) -> None:
        """Search for new members now."""
        self._members = self._found() or self._members

    def _found(self) -> list[psutil.Process]:
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []
