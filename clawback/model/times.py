"""Times: aware, in UTC, and read from whatever the API sends."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


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


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is UTC:
        return time
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware time, converted to UTC."""
