"""Which workflows may still need a key: without it nobody can read, continue or undo them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client

from clawback.model.texts import plural
from clawback.temporal import names
from clawback.temporal.key_ring import KeyNote, KeyUse

RESTART_TIME: Final = timedelta(hours=1)
"""How long after `clawback keys use` a worker may still encrypt with the former key."""
_MOST_NAMED = 3


@dataclass(frozen=True)
class KeyNeeds:
    """How many runs began before a key was out of use: open ones, and closed ones that are kept."""

    open: int
    closed: int
    named: tuple[str, ...]

    def describe(self) -> str | None:
        """Say what needs the key; None if nothing does."""
        parts = list(self._parts())
        return " and ".join(parts) if parts else None

    def _parts(self) -> Iterator[str]:
        if self.open:
            more = ", …" if self.open > len(self.named) else ""
            yield f"{plural(self.open, 'open workflow')} ({', '.join(self.named)}{more})"
        if self.closed:
            yield f"{plural(self.closed, 'closed workflow')} that the namespace keeps"


async def find_needs(client: Client, note: KeyNote | None) -> KeyNeeds:
    """Ask the index which runs may hold payloads of a key.

    Every payload of a run is newer than its start. So a run that began after the last worker had
    left a key holds none of it. Of a key without a note, nothing is known.

    Raises:
        RPCError: the server does not answer.

    """
    began = ""
    if note is not None and note.use is KeyUse.FORMER:
        began = f" AND StartTime < '{_rfc3339(note.at + RESTART_TIME)}'"
    running = f"{names.OUR_WORKFLOWS}{began} AND ExecutionStatus = 'Running'"
    ended = f"{names.OUR_WORKFLOWS}{began} AND ExecutionStatus != 'Running'"
    count = (await client.count_workflows(running)).count
    named = [run.id async for run in client.list_workflows(running, limit=_MOST_NAMED)]
    return KeyNeeds(count, (await client.count_workflows(ended)).count, tuple(sorted(named)))


def _rfc3339(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
