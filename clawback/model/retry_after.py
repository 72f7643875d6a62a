"""How long a server asks to wait: `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WAIT = timedelta(hours=1)
_SECONDS = re.compile(r"[0-9]{1,18}")
_MOST_SECONDS = 10**6


def read_retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read what a response asks for: never negative, at most an hour; None if it is unreadable.

    `headers` are found by lower-case names. A date is compared with the `Date` of the response, if
    it has one, else with `now`: the two clocks may differ by more than the wait.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        # Bounded twice: a timedelta overflows on the largest numbers before it can be compared.
        return min(timedelta(seconds=min(int(text), _MOST_SECONDS)), LONGEST_WAIT)

    until = _read_date(text)
    if until is None:
        return None
    sent = _read_date(headers.get("date", ""))
    return min(max(until - (sent or now), timedelta()), LONGEST_WAIT)


def _read_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or with -0000, is one of UTC.
    return date if date.tzinfo else date.replace(tzinfo=UTC)
