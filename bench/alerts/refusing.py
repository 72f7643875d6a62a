"""The room of refusing: cases and correlations that take no more matches."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from bench.alerts.cause import Cause, Room
from clawback.simulator import outbreak

MOST_SIGNALS = 6
"""Signals that one workflow of this room's server takes, instead of 10,000."""
KEPT = {"quarantine_bec.yml", "junk_many_senders_one_body.yml", "suspicious_delivered.yml"}
SENDER = "a@trickle.test"
COPIES = 1500
"""Messages that count towards one correlation and never reach its threshold: it keeps less."""


class Refusing(Room):
    """What happens to matches where their recipient is full."""

    name = "refusing"
    dynamic: ClassVar[tuple[str, ...]] = (f"history.maximumSignalsPerExecution={MOST_SIGNALS}",)

    @classmethod
    def prepare(cls, folder: Path, environment: dict[str, str], rules: Path) -> None:  # noqa: ARG003
        """Keep few rules: the limit is every workflow's, and shards would refuse matches too."""
        for file in rules.rglob("*.yml"):
            if file.name not in KEPT and file.parent.name != "lists" and file.name != "safety.yml":
                file.unlink()

    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
        yield Cause(("ClawbackMatchesDropped",), self._flood)
        yield Cause(("ClawbackMatchesSetAside",), self._signal_often, self._undo)

    async def _flood(self) -> None:
        """Deliver one suspicious body of one sender to more mailboxes than a group keeps."""
        mail = outbreak(COPIES, seed=1, disposition="SUSPICIOUS", sender="a@flood.test")
        self.installation.simulator.inject(mail)

    async def _signal_often(self) -> None:
        """Deliver a campaign one message a poll, so that each is a signal of its own."""
        mail = outbreak(2 * MOST_SIGNALS, seed=2, sender=SENDER)
        moved = self.installation.simulator.moves
        for number, line in enumerate(list(mail), start=1):
            self.installation.simulator.inject([line])
            # What is beyond the limit is not moved.
            with suppress(TimeoutError):
                await self.installation.moved(moved + number, 10)

    async def _undo(self) -> None:
        """Undo the case, as its runbook says: it takes no signal, and must end all the same."""
        _, listed = await self.installation.run("case", "list", "--sender", SENDER, "--json")
        for case in json.loads(listed):
            code, output = await self.installation.run(
                "undo", "case", case["id"], "--yes", "--reason", "bench"
            )
            if code:
                raise RuntimeError(f"undo case: {output[-300:]}")
