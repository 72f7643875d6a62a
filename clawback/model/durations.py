"""Durations as people write them (`30d`, `1h30m`), to and from `timedelta`.

The one place that knows the units.
"""

import re
from datetime import timedelta

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([wdhms])")


def parse_duration(text: str) -> timedelta:
    """Read `30d`, `12h`, `1h30m`, `0s` as a duration.

    Raises:
        ValueError: the text is not one or more whole numbers, each followed by w, d, h, m or s.

    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(
            f"{text[:40]!r} is not a duration: write a whole number and a unit (w d h m s), such as 30d or 1h30m"
        )
    try:
        return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is too long a duration") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration with whole units, largest first.

    The inverse of `parse_duration` down to the second.
    """
    left = int(duration.total_seconds())
    written = ""
    for unit, size in _SECONDS.items():
        count, left = divmod(left, size)
        written += f"{count}{unit}" if count and unit != "w" else ""
        left += count * size if unit == "w" else 0
    return written or "0s"
