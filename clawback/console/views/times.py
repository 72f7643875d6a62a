"""Times as people read them: words for near ones, the zone beside every absolute one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LONGEST_NAME: Final = 64


@dataclass(frozen=True)
class ShownTime:
    """A time for `<time datetime="machine" title="absolute">words</time>`."""

    machine: str
    absolute: str
    words: str


@dataclass(frozen=True)
class Clock:
    """What a view needs to show times: what time it is, and where the reader is."""

    now: datetime
    zone: ZoneInfo

    def show(self, at: datetime) -> ShownTime:
        """Show a time."""
        return show_time(at, self.now, self.zone)


def find_zone(name: str | None) -> ZoneInfo:
    """Return the zone of a name; UTC if there is none of that name."""
    if not name or len(name) > _LONGEST_NAME:
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def show_time(at: datetime, now: datetime, zone: ZoneInfo) -> ShownTime:
    """Show a time: how far it is away, and what the clock of the zone says."""
    return ShownTime(
        machine=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        absolute=format_absolute(at, zone),
        words=describe_distance(at - now),
    )


def format_absolute(at: datetime, zone: ZoneInfo) -> str:
    """Format a time with its zone: `2026-11-29 03:53:00 UTC`."""
    there = at.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M:%S} {there:%Z}"


def describe_distance(distance: timedelta) -> str:
    """Describe how far a time is away: `in 41 min`, `3 h ago`, `now`."""
    size = describe_duration(abs(distance))
    if abs(distance) < timedelta(seconds=1):
        return "now"
    return f"{size} ago" if distance < timedelta() else f"in {size}"


def describe_duration(duration: timedelta) -> str:
    """Describe a duration with one unit: `50 s`, `41 min`, `5 h`, `3 d`."""
    for unit, name, up_to in (
        (timedelta(seconds=1), "s", 2 * _MINUTE),
        (_MINUTE, "min", 2 * _HOUR),
        (_HOUR, "h", 2 * _DAY),
    ):
        if duration < up_to:
            return f"{int(duration / unit)} {name}"
    return f"{int(duration / _DAY)} d"
