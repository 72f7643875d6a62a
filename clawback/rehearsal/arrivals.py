"""Mail that arrives during a rehearsal at a given pace, instead of all at once before it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from clawback.rehearsal.environment import RehearsalEnvironment
from clawback.rehearsal.plan import line_times
from clawback.rehearsal.progress import Progress
from clawback.simulator import Line, restamp

_STEP_SECONDS = 0.25
_MOST_AT_ONCE = 2_000


class Arrivals:
    """Adds corpus lines to the simulator, so many per second, in the order of their times.

    Each gets the time of its arrival. `arrived` are the lines as they arrived; the expectation must
    be built from those, because windows count in event time.
    """

    def __init__(self, lines: Sequence[Line], pace: float) -> None:
        self._lines = sorted(lines, key=_first_time)
        self._pace = pace
        self.arrived: list[Line] = []

    @property
    def remaining(self) -> int:
        """The number of lines that have yet to arrive."""
        return len(self._lines) - len(self.arrived)

    async def run(self, environment: RehearsalEnvironment, progress: Progress) -> None:
        """Let all lines arrive."""
        started = time.monotonic()
        while self.remaining:
            due = int((time.monotonic() - started) * self._pace) + 1 - len(self.arrived)
            if due > 0:
                await self._add(environment, min(due, _MOST_AT_ONCE))
                progress.note_activity()
            await asyncio.sleep(_STEP_SECONDS)

    async def _add(self, environment: RehearsalEnvironment, count: int) -> None:
        first = len(self.arrived)
        now = datetime.now(UTC)
        lines = [restamp(line, now) for line in self._lines[first : first + count]]
        for kind, group in groupby(lines, key=lambda line: line.kind):
            await environment.inject(kind, list(group))
        self.arrived += lines


def _first_time(line: Line) -> datetime:
    times: Iterator[datetime] = line_times(line)
    return min(times, default=datetime.min.replace(tzinfo=UTC))
