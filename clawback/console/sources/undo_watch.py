"""Follows the undos that somebody looks at, and announces how far they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from temporalio.service import RPCError

from clawback.console.changes import Changes
from clawback.telemetry.supervisor import BackgroundTask, Supervisor
from clawback.temporal.fan_out import UNANSWERED
from clawback.temporal.undo_runs import UndoReading, UndoRun, UndoRuns

TOPIC_PREFIX: Final = "undo/"
_EVERY: Final = 1.0
_MOST_WATCHED: Final = 50
_MOST_ENDED: Final = 500

log = structlog.get_logger("clawback")


@dataclass
class UndoWatch:
    """How far undos are. What an ended one came to does not change, and is kept."""

    runs: UndoRuns
    changes: Changes
    _watched: dict[str, UndoReading | None] = field(default_factory=dict)
    _ended: dict[str, UndoReading] = field(default_factory=dict)

    async def read(self, number: str) -> UndoReading:
        """Read how far an undo is now.

        Raises:
            NoSuchWorkflow: there is none.
            RPCError: the server does not answer.

        """
        known = self._ended.get(number)
        return known or await self._read_run(await self.runs.find(number))

    async def list_recent(self, most: int) -> list[UndoReading]:
        """List undos that run, wait or have ended lately, each with how far it is."""
        runs = await self.runs.list_recent(most)
        return list(await asyncio.gather(*map(self._read_listed, runs)))

    def watch(self, topic: str) -> None:
        """Announce the progress of an undo from now on, until it has ended."""
        number = topic.removeprefix(TOPIC_PREFIX)
        if len(self._watched) < _MOST_WATCHED:
            self._watched.setdefault(number, None)

    @asynccontextmanager
    async def running(self, tasks: Supervisor) -> AsyncIterator[None]:
        """Follow what is watched until the block is left."""
        async with tasks.running(BackgroundTask.UNDOS, self._keep_following):
            yield

    async def _read_listed(self, run: UndoRun) -> UndoReading:
        known = self._ended.get(run.number)
        return known or await self._read_run(run)

    async def _read_run(self, run: UndoRun) -> UndoReading:
        reading = await self.runs.read(run)
        if run.ended_at is not None:
            if len(self._ended) >= _MOST_ENDED:
                self._ended.clear()
            self._ended[run.number] = reading
        return reading

    async def _keep_following(self) -> None:
        while True:
            for number, before in list(self._watched.items()):
                await self._follow(number, before)
            await asyncio.sleep(_EVERY)

    async def _follow(self, number: str, before: UndoReading | None) -> None:
        try:
            reading = await self.read(number)
        except LookupError:
            del self._watched[number]
            return
        except (*UNANSWERED, RPCError):
            return
        except Exception as error:  # noqa: BLE001 - one that cannot be read must not stop the others
            log.warning("console.undo_unreadable", error_type=type(error).__name__)
            del self._watched[number]
            return

        self._watched[number] = reading
        if reading != before:
            self.changes.announce(f"{TOPIC_PREFIX}{number}")
        if reading.run.ended_at is not None:
            del self._watched[number]
