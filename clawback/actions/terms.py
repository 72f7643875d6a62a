"""How long something lasts, as rules write it: one duration, or a list of growing ones."""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from clawback.model.durations import format_duration, parse_duration


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) and not value.startswith("P") else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
"""A duration written `30d`; kept as `timedelta`."""


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _growing(terms: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if (
        not terms
        or terms[0] <= timedelta()
        or any(later <= sooner for sooner, later in pairwise(terms))
    ):
        raise ValueError(
            "each term must be longer than the one before, and the first longer than nothing, such as [7d, 30d, 90d]"
        )
    return terms


def _one_if_alone(terms: tuple[timedelta, ...]) -> str | list[str]:
    written = [format_duration(term) for term in terms]
    return written[0] if len(written) == 1 else written


Terms = Annotated[
    tuple[Duration, ...],
    BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
    AfterValidator(_growing),
    PlainSerializer(_one_if_alone, return_type=str | list[str]),
]
"""One duration, or a list of growing ones; one alone is written as it always was."""
