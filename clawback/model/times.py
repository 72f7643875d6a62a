"""Times: aware, in UTC, and read from whatever the API sends."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No record of a mail service of today is older: such a time is a zero, or somebody's mistake."""
MOST_AHEAD = timedelta(days=1)
"""How far clocks and time zones may be ahead of ours; what is later makes no sense."""


def parse_time(value: object) -> datetime | None:
    """Read an RFC 3339 time as UTC; None if it is missing or invalid.

    A time without an offset is taken as UTC.
    """
    if isinstance(value, datetime):
        return _in_utc(value)
    if not isinstance(value, str):
        return None

    try:
        return _in_utc(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None


def parse_sensible_time(value: object, now: datetime) -> datetime | None:
    """Read a time that a record may have; None for year 1, 1970, the far future and no time."""
    time = parse_time(value)
    is_sensible = time is not None and EARLIEST <= time <= now + MOST_AHEAD
    return time if is_sensible else None


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is UTC:
        return time
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware time, converted to UTC."""
