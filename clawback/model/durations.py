"""Durations as people write them (`30d`, `1h30m`), to and from `timedelta`.

A unit is never implied: a bare `7` could be seconds or days.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, PlainSerializer
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from clawback.model.duration_pattern import duration_pattern
from clawback.model.duration_slips import suggest_duration

LONGEST = timedelta(days=3650)
"""The longest duration that anybody can mean."""

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(0|[1-9][0-9]{0,11})([wdhms])")
_UNITS = "".join(_SECONDS)
_EXAMPLES = "a whole number and a unit (w d h m s), such as 30d or 1h30m"


def parse_duration(text: str, longest: timedelta = LONGEST) -> timedelta:
    """Read `30d`, `12h`, `1h30m` or `0s`.

    Raises:
        ValueError: the text is not one or more whole numbers with the units w, d, h, m or s, the
            largest first and each part smaller than the unit before; or it is too long.

    """
    duration = _read_notation(text)
    if duration > longest:
        raise ValueError(
            f"{text[:40]} is too long a duration: write at most {format_duration(longest)}"
        )
    return duration


def _read_notation(text: str) -> timedelta:
    parts = _PART.findall(text)
    # `findall` skips what does not fit, so the parts must add up to the whole text.
    is_whole = parts and "".join(number + unit for number, unit in parts) == text
    if not is_whole or not all(_may_follow(*one, *two) for one, two in pairwise(parts)):
        suggestion = suggest_duration(text) or _EXAMPLES
        raise ValueError(f"{text[:40]!r} is not a duration: write {suggestion}")

    try:
        return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text[:40]} is too long a duration") from None


def _may_follow(_: str, larger: str, number: str, unit: str) -> bool:
    """Whether a part may come after another: `1h30m`, not `30m1h` or `1h90m`."""
    at = _UNITS.index(unit)
    return at > _UNITS.index(larger) and int(number) * _SECONDS[unit] < _SECONDS[_UNITS[at - 1]]


def format_duration(duration: timedelta) -> str:
    """Write a duration in whole days, hours, minutes and seconds; fractions are dropped."""
    rest = int(duration.total_seconds())
    text = ""
    for unit in "dhms":
        count, rest = divmod(rest, _SECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _read_duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return _read_notation(value)
    raise ValueError(_wrong_type(value))


def _wrong_type(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value} has no unit: write {value}s, {value}m, {value}h or {value}d"
    return f"write {_EXAMPLES}"


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
"""A duration written `30d`, kept as `timedelta`; of any length, for payloads."""


@dataclass(frozen=True, slots=True)
class Written:
    """Marks a `timedelta` that people write, in a rule or in `safety.yml`, within bounds.

    `is_single`: of one number and unit, as Sigma writes a `timespan`.
    """

    longest: timedelta = LONGEST
    allows_zero: bool = False
    is_single: bool = False

    def read(self, value: object) -> timedelta:
        """Read a duration within the bounds.

        Raises:
            ValueError: it is none, has no unit, or is out of bounds; the text says what to write.

        """
        if not isinstance(value, str | timedelta):
            raise ValueError(_wrong_type(value))  # noqa: TRY004 - pydantic makes it a problem

        duration = parse_duration(value, self.longest) if isinstance(value, str) else value
        if duration > self.longest or (not duration and not self.allows_zero):
            most = format_duration(self.longest)
            raise ValueError(f"{value} is out of bounds: write more than 0s and at most {most}")
        if self.is_single and isinstance(value, str) and len(_PART.findall(value)) > 1:
            raise ValueError(f"{value} has two units: write {_as_single(duration)}")
        return duration

    @property
    def schema(self) -> JsonSchemaValue:
        """The JSON Schema of what `read` accepts."""
        pattern = duration_pattern(
            self.longest, allows_zero=self.allows_zero, is_single=self.is_single
        )
        most = format_duration(self.longest)
        return {
            "type": "string",
            "pattern": pattern,
            "patternErrorMessage": f"write {_EXAMPLES}, at most {most}",
        }

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Read and write the notation."""
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> JsonSchemaValue:
        """Give the pattern."""
        return self.schema


def _as_single(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    unit, size = next((unit, size) for unit, size in _SECONDS.items() if not seconds % size)
    return f"{seconds // size}{unit}"


WrittenDuration = Annotated[timedelta, Written()]
"""A duration in a rule or in `safety.yml`."""


def _as_sequence(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _check_growing(durations: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not durations or any(first >= second for first, second in pairwise(durations)):
        raise ValueError("each duration must be longer than the one before, such as [7d, 30d, 90d]")
    return durations


def _format_durations(durations: Sequence[timedelta]) -> str | list[str]:
    texts = [format_duration(duration) for duration in durations]
    return texts[0] if len(texts) == 1 else texts


GrowingDurations = Annotated[
    tuple[WrittenDuration, ...],
    BeforeValidator(
        _as_sequence,
        json_schema_input_type=WrittenDuration
        | Annotated[list[WrittenDuration], Field(min_length=1)],
    ),
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
