"""Reading query parameters the way the API does.

Typed, bounded, and refused with a 400 that names the parameter.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from starlette.datastructures import QueryParams

from clawback.simulator.envelopes import invalid

LARGEST_PAGE = 1000
DEFAULT_PAGE = 20
DEFAULT_WINDOW = timedelta(days=30)


def boolean(params: QueryParams, name: str, *, default: bool) -> bool:
    """`true` or `false`; the default where it is missing."""
    return default if (value := optional_boolean(params, name)) is None else value


def optional_boolean(params: QueryParams, name: str) -> bool | None:
    """`true` or `false`, or None where it is missing."""
    value = params.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise invalid(f"{name} must be true or false", name)
    return value.lower() == "true"


def whole(params: QueryParams, name: str, default: int, most: int | None = None) -> int:
    """A whole number from 1 on, at most `most`."""
    value = params.get(name)
    if value is None:
        return default
    number = int(value) if value.isdecimal() and len(value) < 10 else 0  # noqa: PLR2004
    if number < 1 or (most is not None and number > most):
        raise invalid(
            f"{name} must be a whole number from 1" + (f" to {most}" if most else ""), name
        )
    return number


def paging(params: QueryParams) -> tuple[int, int]:
    """`page` (from 1) and `per_page` (1 to 1000, default 20)."""
    return whole(params, "page", 1), whole(params, "per_page", DEFAULT_PAGE, LARGEST_PAGE)


def choice(params: QueryParams, name: str, allowed: type[StrEnum] | tuple[str, ...]) -> str | None:
    """One of a fixed set of values, or None where it is missing."""
    value = params.get(name)
    values = tuple(str(member) for member in allowed)
    if value is not None and value not in values:
        raise invalid(f"{name} must be one of {', '.join(values)}", name)
    return value


def moment(params: QueryParams, name: str) -> datetime | None:
    """An RFC 3339 time in UTC, or None where it is missing.

    Without an offset it is taken as UTC.
    """
    value = params.get(name)
    if value is None:
        return None
    if (parsed := parse_time(value)) is None:
        raise invalid(f"{name} must be an RFC 3339 date-time", name)
    return parsed


def parse_time(value: object) -> datetime | None:
    """An RFC 3339 text as a time in UTC; None where it makes no sense."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def window(params: QueryParams, now: datetime) -> tuple[datetime, datetime]:
    """The half-open range of `start` (default 30 days ago, never in the future) and `end` (default now)."""
    start = moment(params, "start")
    if start is not None and start > now:
        raise invalid("start must not be in the future", "start")
    return start or now - DEFAULT_WINDOW, moment(params, "end") or now
