"""What people have decided here, shown until the server's index says so, for a minute at most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from clawback.console.sources.read_model import ListedCase

LASTS: Final = timedelta(seconds=60)
_BY_PEOPLE: Final = (
    "state",
    "hold_cause",
    "deadline",
    "decision",
    "undone",
    "approvals",
    "assignee",
    "assignee_id",
)


@dataclass(frozen=True)
class _Overlay:
    """What was listed before an answer, and what is different since then."""

    until: datetime
    before: Mapping[str, Any]
    changes: Mapping[str, Any]


@dataclass
class Overlays:
    """The answers to decisions of the last minute, by campaign."""

    now: Callable[[], datetime]
    _kept: dict[tuple[str, datetime], _Overlay] = field(default_factory=dict)

    def put(self, before: "ListedCase", after: "ListedCase") -> None:
        """Remember how a decision has changed a line of the lists."""
        now = self.now()
        self._kept = {key: one for key, one in self._kept.items() if one.until > now}
        known, own = _fields(before), _fields(after)
        changes = {name: value for name, value in own.items() if value != known[name]}
        if (earlier := self._kept.get(after.key)) is not None:
            changes, known = {**earlier.changes, **changes}, {**known, **earlier.before}
        self._kept[after.key] = _Overlay(now + LASTS, known, changes)

    def apply(self, line: "ListedCase") -> "ListedCase":
        """Return a line of the index as it is after the decision.

        Once the index has anything of it that people changed, it counts again.
        """
        overlay = self._kept.get(line.key)
        if overlay is None:
            return line
        if overlay.until <= self.now() or _fields(line) != overlay.before:
            del self._kept[line.key]
            return line
        return replace(line, **overlay.changes)


def _fields(line: "ListedCase") -> dict[str, Any]:
    return {name: getattr(line, name) for name in _BY_PEOPLE}
