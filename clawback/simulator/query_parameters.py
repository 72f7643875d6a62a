"""Parses query parameters as the API does; an invalid one is a 400 that names it."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from starlette.datastructures import QueryParams

from clawback.simulator.responses import invalid

MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 20
DEFAULT_WINDOW = timedelta(days=30)
_MAX_DIGITS = 9


def boolean(params: QueryParams, name: str, *, default: bool) -> bool:
    """Return `true` or `false`; the default if it is missing."""
    return default if (value := optional_boolean(params, name)) is None else value


def optional_boolean(params: QueryParams, name: str) -> bool | None:
    """Return `true` or `false`; None if it is missing."""
    value = params.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise invalid(f"{name} must be true or false", name)
    return value.lower() == "true"


def positive_integer(
    params: QueryParams, name: str, default: int, maximum: int | None = None
) -> int:
    """Return an integer from 1 to `maximum`; the default if it is missing."""
    value = params.get(name)
    if value is None:
        return default

    number = int(value) if value.isdecimal() and len(value) <= _MAX_DIGITS else 0
    if number < 1 or (maximum is not None and number > maximum):
        raise invalid(
            f"{name} must be an integer from 1" + (f" to {maximum}" if maximum else ""), name
        )

    return number


def paging(params: QueryParams) -> tuple[int, int]:
    """Return `page` (from 1) and `per_page` (1 to 1000, default 20)."""
    return positive_integer(params, "page", 1), positive_integer(
        params, "per_page", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
    )


def choice(params: QueryParams, name: str, allowed: type[StrEnum] | tuple[str, ...]) -> str | None:
    """Return one of a fixed set of values; None if it is missing."""
    value = params.get(name)
    values = tuple(str(member) for member in allowed)
    if value is not None and value not in values:
        raise invalid(f"{name} must be one of {', '.join(values)}", name)
    return value


def time_parameter(params: QueryParams, name: str) -> datetime | None:
    """Return an RFC 3339 time in UTC; None if it is missing. Without an offset it is UTC."""
    value = params.get(name)
    if value is None:
        return None
    if (parsed := parse_time(value)) is None:
        raise invalid(f"{name} must be an RFC 3339 date-time", name)
    return parsed


def parse_time(value: object) -> datetime | None:
    """Parse an RFC 3339 string as a time in UTC; None if it is invalid."""
    if not isinstance(value, str):
        return None

    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def window(params: QueryParams, now: datetime) -> tuple[datetime, datetime]:
    """Return the half-open range from `start` (default: 30 days ago) to `end` (default: now)."""
    start = time_parameter(params, "start")
    if start is not None and start > now:
        raise invalid("start must not be in the future", "start")
    return start or now - DEFAULT_WINDOW, time_parameter(params, "end") or now
