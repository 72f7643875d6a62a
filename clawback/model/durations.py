"""Durations as people write them (`30d`, `1h30m`), to and from `timedelta`."""

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic.json_schema import GenerateJsonSchema

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([wdhms])")


def parse_duration(text: str) -> timedelta:
    """Read `30d`, `12h`, `1h30m` or `0s`.

    Raises:
        ValueError: the text is not one or more whole numbers, each followed by w, d, h, m or s.

    """
    parts = _PART.findall(text)
    # `findall` skips what does not fit, so the parts must add up to the whole text.
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(
            f"{text[:40]!r} is not a duration: "
            "write a whole number and a unit (w d h m s), such as 30d or 1h30m"
        )

    try:
        return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is too long a duration") from None


def format_duration(duration: timedelta) -> str:
    """Write a duration in whole days, hours, minutes and seconds; fractions are dropped."""
    rest = int(duration.total_seconds())
    text = ""
    for unit in "dhms":
        count, rest = divmod(rest, _SECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _read_duration(value: object) -> object:
    """Read our own notation; pydantic reads ISO 8601 (`P30D`) itself."""
    return parse_duration(value) if isinstance(value, str) and not value.startswith("P") else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
"""A duration written `30d`, kept as `timedelta`."""


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _check_growing(durations: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    is_growing = all(first < second for first, second in pairwise(durations))
    if not durations or durations[0] <= timedelta() or not is_growing:
        raise ValueError(
            "each duration must be longer than the one before and the first longer than zero, "
            "such as [7d, 30d, 90d]"
        )

    return durations


def _format_durations(durations: tuple[timedelta, ...]) -> str | list[str]:
    texts = [format_duration(duration) for duration in durations]
    return texts[0] if len(texts) == 1 else texts


GrowingDurations = Annotated[
    tuple[Duration, ...],
    BeforeValidator(_as_sequence, json_schema_input_type=str | list[str]),
    AfterValidator(_check_growing),
    PlainSerializer(_format_durations, return_type=str | list[str]),
]
"""One duration, or a list of growing ones; a single one is written without a list."""


class DurationSchema(GenerateJsonSchema):
    """Generates JSON Schemas whose defaults write a duration as people do: `30d`, not `P30D`."""

    def encode_default(self, dft: Any) -> Any:
        """Encode a default value; pydantic ignores the serializers of the field here."""
        if isinstance(dft, timedelta):
            return format_duration(dft)
        if isinstance(dft, tuple) and dft and all(isinstance(one, timedelta) for one in dft):
            return _format_durations(dft)
        return super().encode_default(dft)
