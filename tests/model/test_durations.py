"""Durations as people write them."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from clawback.model.duration_slips import suggest_duration
from clawback.model.durations import (
    LONGEST,
    Duration,
    Written,
    WrittenDuration,
    format_duration,
    parse_duration,
)

UNITS = "wdhms"
TEXTS = st.lists(
    st.tuples(
        st.integers(0, 3).flatmap(lambda digits: st.integers(0, 10 ** (3 * digits))),
        st.sampled_from(UNITS),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(f"{number}{unit}" for number, unit in parts))
BOUNDS = st.sampled_from(
    [LONGEST, timedelta(days=7), timedelta(days=30), timedelta(days=365), timedelta(hours=25)]
)


@given(st.integers(0, int(LONGEST.total_seconds())))
def test_what_is_written_is_read_back(seconds: int) -> None:
    """Formatting and parsing are inverse, down to the second."""
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 10**11))
def test_a_payload_keeps_any_duration(seconds: int) -> None:
    """What a workflow has measured is read back, however long it is."""
    adapter = TypeAdapter(Duration)
    duration = timedelta(seconds=seconds)
    assert adapter.validate_json(adapter.dump_json(duration)) == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [("30d", timedelta(days=30)), ("1h30m", timedelta(hours=1.5)), ("2w", timedelta(weeks=2))],
)
def test_units(text: str, duration: timedelta) -> None:
    """Weeks, days, hours, minutes, seconds."""
    assert parse_duration(text) == duration


WRONG = ["", "30", "d", "30 d", "1.5h", "-1h", "1h x", "30m1h", "1h90m", "1h1h", "007d", "P30D"]


@pytest.mark.parametrize("text", [*WRONG, "9" * 30 + "d", "99999999d", "3651d"])
def test_anything_else_is_refused(text: str) -> None:
    """The text says how to write one."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("value", [7, 0, 7.5, True, None, ["30d"], "7", "99999999d", "0s"])
def test_what_people_write_has_a_unit_and_bounds(value: object) -> None:
    """A number without a unit, nothing, and what nobody can mean are refused in a rule."""
    with pytest.raises(ValidationError):
        TypeAdapter(WrittenDuration).validate_python(value)


@pytest.mark.parametrize("value", [7, 7.5, "P30D", "7"])
def test_a_payload_has_no_other_notation(value: object) -> None:
    """Neither seconds nor ISO 8601 are read."""
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(value)


@given(text=TEXTS, longest=BOUNDS, allows_zero=st.booleans(), is_single=st.booleans())
def test_schema_and_loader_agree(
    *, text: str, longest: timedelta, allows_zero: bool, is_single: bool
) -> None:
    """The pattern of the JSON Schema accepts exactly what the loader reads."""
    written = Written(longest, allows_zero=allows_zero, is_single=is_single)
    try:
        written.read(text)
        is_read = True
    except ValueError:
        is_read = False
    assert (re.search(written.schema["pattern"], text) is not None) == is_read


@given(st.integers(0, 2 * 86_400), BOUNDS)
def test_schema_and_loader_agree_at_the_bound(offset: int, longest: timedelta) -> None:
    """The pattern ends where the bound is, in every notation."""
    pattern = Written(longest).schema["pattern"]
    duration = longest + timedelta(days=1) - timedelta(seconds=offset)
    assert (re.search(pattern, format_duration(duration)) is not None) == (
        timedelta() < duration <= longest
    )


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("60min", "60m"),
        ("30 days", "30d"),
        ("1 hour", "1h"),
        ("1.5h", "1h30m"),
        ("1h90m", "2h30m"),
        ("2 Weeks", "2w"),
        ("1 hour and 30 minutes", "1h30m"),
        ("P30D", "30d"),
        ("pt1h30m", "1h30m"),
        ("3 months", "90d"),
        ("1M", None),
        ("soon", None),
        ("7", "a unit after it: 7s, 7m, 7h or 7d"),
    ],
)
def test_slips_are_understood(text: str, suggestion: str | None) -> None:
    """The message says what to write instead."""
    assert suggest_duration(text) == suggestion


@given(
    st.text(max_size=12) | st.from_regex(r"[0-9]{1,4}(\.5)? ?(min|days|hours|w|mo)", fullmatch=True)
)
def test_a_suggestion_is_a_duration(text: str) -> None:
    """Whatever is suggested can be read."""
    suggestion = suggest_duration(text)
    if suggestion is not None and not suggestion.startswith("a unit"):
        parse_duration(suggestion, timedelta(days=10**6))
