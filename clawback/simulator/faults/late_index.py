"""`late_index`: a message that lists do not show at first."""

from typing import ClassVar

from clawback.simulator.faults.base import Fault


class LateIndex(Fault):
    """A fault of a message, not of a request: `AccountState` applies it when mail arrives."""

    name: ClassVar[str] = "late_index"
    description: ClassVar[str] = "a new message appears late in lists; by id it is there at once"
    seconds: ClassVar[float] = 10.0
    seconds_meaning: ClassVar[str | None] = "how late"
