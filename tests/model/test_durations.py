"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.durations import format_duration, parse_duration


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_back(seconds: int) -> None:
    """Formatting and parsing are inverse, down to the second."""
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [("30d", timedelta(days=30)), ("1h30m", timedelta(hours=1.5)), ("2w", timedelta(weeks=2))],
)
def test_units(text: str, duration: timedelta) -> None:
    """Weeks, days, hours, minutes, seconds."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "30", "d", "30 d", "1.5h", "-1h", "1h x", "9" * 30 + "d"])
def test_anything_else_is_refused(text: str) -> None:
    """The text says how to write one."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
