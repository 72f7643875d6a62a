"""What a worker last saw of the guard, in memory and in a file of its state folder.

It recognises a guard that has gone back in time: somebody reset it, or restored an older database.
The file holds counters and ids only.
"""

import os
from pathlib import Path

import structlog
from pydantic import ValidationError

from clawback.guard import LossReason
from clawback.model.payload import Payload
from clawback.temporal.guard_gateway import GuardView

log = structlog.get_logger("clawback")
_AHEAD = 1_000
"""Runs by which a restored guard is behind what is remembered: more than it makes in a backup."""


class GuardPosition(Payload):
    """How far a guard has come.

    Generations count its runs, and a run's history only ever grows. `decisions` counts what people
    decided: it tells an older database even after its history has grown past what was known.
    """

    installation: str = ""
    generation: int = 0
    run: str = ""
    length: int = 0
    decisions: int = 0

    @classmethod
    def of(cls, view: GuardView) -> "GuardPosition":
        """Where the guard stands that the server shows."""
        memo, binding = view.memo, view.memo.binding if view.memo else None
        return cls(
            installation=binding.installation if binding else "",
            generation=memo.generation if memo else 0,
            run=view.run,
            length=view.length,
            decisions=memo.decisions if memo else 0,
        )

    def describe_change(self, seen: "GuardPosition") -> LossReason | None:
        """Say how the guard was lost between this position and a later look; None if it was not."""
        if seen.installation != self.installation or seen.generation < self.generation:
            return LossReason.OLDER
        if seen.generation > self.generation:
            return None
        if seen.run != self.run:
            return LossReason.RESET

        went_back = seen.length < self.length or seen.decisions < self.decisions
        return LossReason.OLDER if went_back else None


class GuardMemory:
    """Keeps the last position for one server and namespace; without a path, in memory only."""

    def __init__(self, server: str, path: Path | None = None) -> None:
        self._server = server
        self._path = path
        self.position = self._load()

    def note(self, position: GuardPosition) -> None:
        """Remember a position, if it is another one."""
        if position == self.position:
            return

        self.position = position
        try:
            self._save(position)
        except OSError as error:
            log.warning("worker.guard_not_remembered", error=error)
            # Logged once; from now on the position is in memory only.
            self._path = None

    def _load(self) -> GuardPosition | None:
        try:
            known = _Remembered.model_validate_json(self._path.read_bytes()) if self._path else None
        except (OSError, ValidationError):
            return None
        is_ours = known is not None and (known.is_restored or known.server == self._server)
        return known.position if known and is_ours else None

    def _save(self, position: GuardPosition) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Renamed into place, so that a crash leaves the old file whole.
        new = self._path.with_suffix(f".{os.getpid()}.new")
        new.touch(0o600)
        new.write_text(
            _Remembered(server=self._server, position=position).model_dump_json(), encoding="utf-8"
        )
        new.replace(self._path)


class _Remembered(Payload):
    server: str
    position: GuardPosition
    is_restored: bool = False
    """It came out of a backup, and is of whichever server has the database of that."""


def remember_restored(path: Path) -> None:
    """Change the memory of a backup, so that the guard of its database is found to be an older one.

    What it had spent and decided after the backup is unknown: it stops until a person resumes, also
    where the server gets another address, or the backup has no memory.

    Raises:
        OSError: the file cannot be written.

    """
    try:
        position = _Remembered.model_validate_json(path.read_bytes()).position
    except (FileNotFoundError, ValidationError):
        position = GuardPosition()
    later = position.model_copy(update={"generation": position.generation + _AHEAD})
    restored = _Remembered(server="", position=later, is_restored=True)
    path.write_text(restored.model_dump_json(), encoding="utf-8")
