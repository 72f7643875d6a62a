"""What provokes alerts and what ends them, and rooms of such causes."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.alerts.installation import Installation

PATIENCE = 240.0
"""Seconds that an alert has to fire, and to resolve."""

Change = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Cause:
    """What makes alerts fire, and what ends that.

    `end` is what no command does, such as freeing a disk; None: the commands of the runbook end
    it, or the window of the alert. `words` are what the upper-case words of those commands stand
    for. The next cause begins while the alerts of this one resolve, unless this one must `settle`;
    `after` gives back what must stay until then.
    """

    alerts: tuple[str, ...]
    provoke: Change
    end: Change | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    after: Change | None = None
    patience: float = PATIENCE
    settle: bool = False


class Room(ABC):
    """Causes that share an installation, in an order that leaves nothing over.

    `settings` are those of its worker beside what every installation of a bench has; `dynamic`
    are values of the configuration of its Temporal server.
    """

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, str]] = {}
    dynamic: ClassVar[tuple[str, ...]] = ()

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    @classmethod  # noqa: B027 - most rooms need none of it
    def prepare(cls, folder: Path, environment: dict[str, str], rules: Path) -> None:
        """Change folder, settings and rules before the worker starts."""

    async def open(self) -> None:  # noqa: B027
        """Do what must be done once the worker runs, before the first cause."""

    async def close(self) -> None:  # noqa: B027
        """Give back what `prepare` and the causes took from the machine."""

    @abstractmethod
    def causes(self) -> Iterator[Cause]:
        """Give the causes in order."""
