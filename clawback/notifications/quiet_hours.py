"""Quiet hours of a channel: when a message waits, until when, and what is sent nevertheless."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from clawback.model.level import Level

_DAY = timedelta(days=1)
_MOST_JOINED = 15
"""So many quiet hours in a row are joined: two weeks of days."""


class Weekday(StrEnum):
    """The days of the week, Monday first."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


_WEEK = tuple(Weekday)


def _parse_clock(value: object) -> object:
    # pydantic would take 22 for 22 seconds past midnight.
    is_clock = isinstance(value, time) or (isinstance(value, str) and ":" in value)
    if not is_clock:
        raise ValueError("expected a time of day, such as 22:00")
    return value


def _check_local(clock: time) -> time:
    if clock.tzinfo is not None:
        raise ValueError("expected a time of day without a zone, such as 22:00")
    return clock


Clock = Annotated[time, BeforeValidator(_parse_clock), AfterValidator(_check_local)]


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError("expected an IANA time zone, such as Europe/Berlin") from None
    return name


class QuietHours(BaseModel):
    """Hours of some days in which a channel gets nothing below a level.

    They start at `start` on each of `days`, and end at the next `end`, in the local time of `zone`:
    equal times make a whole day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True)

    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    zone: Annotated[str, AfterValidator(_check_zone)]
    days: tuple[Weekday, ...] = Field(default=_WEEK, min_length=1)
    unless: Level = Level.CRITICAL

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.start == self.end and set(self.days) == set(_WEEK):
            raise ValueError("these quiet hours never end: give other times, or fewer days")
        return self

    def end_of(self, at: datetime) -> datetime | None:
        """Return when the quiet hours end that include a time, in UTC; None if none do."""
        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for day in (today - _DAY, today):
            start, end = self._bounds(day, zone)
            if _WEEK[day.weekday()] in self.days and start <= at < end:
                return end
        return None

    def _bounds(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.start < self.end else day + _DAY
        return tuple(  # type: ignore[return-value] # two of them
            datetime.combine(on, local, zone).astimezone(UTC)
            for on, local in ((day, self.start), (last, self.end))
        )


def find_quiet_end(hours: Sequence[QuietHours], at: datetime, level: Level) -> datetime | None:
    """Return when a message of a level may be sent, in UTC; None if that is now.

    Quiet hours that follow one another are joined, such as a night and a free day.
    """
    quiet = [one for one in hours if level.rank < one.unless.rank]
    until = at
    for _ in range(_MOST_JOINED):
        later = max((end for one in quiet if (end := one.end_of(until))), default=until)
        if later == until:
            break
        until = later
    return until if until > at else None
