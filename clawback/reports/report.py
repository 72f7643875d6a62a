"""The models of a report, and how its numbers are written for people."""

from datetime import timedelta
from enum import StrEnum

from clawback.model.durations import format_duration
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime

VERSION = 1
"""Of the JSON document; it changes if a field is renamed or means something else."""
UNKNOWN = "unknown"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Unit(StrEnum):
    """What a number counts; durations are in seconds."""

    SECONDS = "seconds"
    MESSAGES = "messages"
    CASES = "cases"
    BLOCKS = "blocks"
    NOTIFICATIONS = "notifications"
    REQUESTS = "requests"


class Measure(Payload):
    """One number of a report.

    `value` is None if it is unknown, and `note` then says why; `count` is how many things it was
    computed from, `formula` how.
    """

    name: str
    title: str
    unit: Unit
    formula: str
    value: float | None = None
    count: int = 0
    note: str = ""

    @property
    def text(self) -> str:
        """The value for people: `3m 20s`, `1,204`, `unknown`."""
        if self.value is None:
            return UNKNOWN
        if self.unit is Unit.SECONDS:
            return format_seconds(self.value)
        return f"{round(self.value):,}"


class RuleNumbers(Payload):
    """The cases of one rule that opened in the period, and what became of them.

    `decided` are those that acted or were denied, `right` those of them that were neither denied
    nor undone.
    """

    rule: str
    cases: int
    acted: int
    denied: int
    expired: int
    undone: int
    decided: int
    right: int

    @property
    def precision(self) -> float | None:
        """`right` / `decided`; None if nothing was decided."""
        return self.right / self.decided if self.decided else None


class PersonNumbers(Payload):
    """The decisions of one person in the period, whenever the cases opened."""

    person: str
    approved: int
    denied: int


class Report(Payload):
    """What clawback did from `since` to `until`.

    `notes` say what limits all numbers, such as an audit that begins later.
    """

    version: int = VERSION
    since: UtcDatetime
    until: UtcDatetime
    made_at: UtcDatetime
    numbers: tuple[Measure, ...]
    rules: tuple[RuleNumbers, ...]
    people: tuple[PersonNumbers, ...]
    notes: tuple[str, ...] = ()

    def number(self, name: str) -> Measure:
        """Return a number by its name."""
        return next(one for one in self.numbers if one.name == name)

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON data, with the precision of each rule."""
        data: dict[str, object] = self.model_dump(mode="json")
        data["rules"] = [
            {**one.model_dump(mode="json"), "precision": one.precision} for one in self.rules
        ]
        return data


def format_seconds(seconds: float) -> str:
    """Format a duration in at most two units: `0.4s`, `12s`, `3m 20s`, `5h 2m`, `3d 4h`."""
    if seconds < 10:  # noqa: PLR2004 - below, tenths matter
        return f"{seconds:.1f}s"
    size = _DAY if seconds >= _DAY else _HOUR if seconds >= _HOUR else _MINUTE
    smaller = {_DAY: _HOUR, _HOUR: _MINUTE, _MINUTE: 1}[size]
    whole = int(seconds) // smaller * smaller
    return " ".join(
        format_duration(timedelta(seconds=part))
        for part in (whole // size * size, whole % size)
        if part
    )


def format_precision(precision: float | None) -> str:
    """Format a precision: `97 %`, or `-` if nothing was decided."""
    return "-" if precision is None else f"{precision:.0%}".replace("%", " %")
