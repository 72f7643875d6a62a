"""An exception of a compiled rule set."""

from dataclasses import dataclass
from datetime import date

from clawback.model.events import EventKind
from clawback.rules.source.condition import Node


@dataclass(frozen=True, slots=True)
class Filter:
    """An exception: its rules (all of its kind if empty), owner, and the last day it applies."""

    name: str
    title: str
    owner: str
    expires: date | None
    kind: EventKind
    rules: tuple[str, ...]
    path: str
    line: int
    tree: Node

    def is_expired(self, today: date) -> bool:
        """Whether it no longer applies."""
        return self.expires is not None and today > self.expires
