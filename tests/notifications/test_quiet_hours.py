"""Quiet hours: when they end, which messages wait, and who is told if nobody answers."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import Notify, Occasion, TellReporter
from clawback.model.level import Level
from clawback.notifications.channel_file import parse_channels
from clawback.notifications.quiet_hours import QuietHours, Weekday, find_quiet_end
from clawback.notifications.routing import Route, RouteRequest, find_route
from tests.notifications.samples import build_step

NIGHT = {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def hours(**changes: Any) -> QuietHours:
    return QuietHours.model_validate({**NIGHT, **changes})


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T20:59:59Z", None),
        ("2026-11-23T21:00:00Z", "2026-11-24T06:00:00Z"),
        ("2026-11-24T05:59:59Z", "2026-11-24T06:00:00Z"),
        ("2026-11-24T06:00:00Z", None),
        # The clock goes back at 3:00 on 25 October, and the night lasts an hour longer.
        ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
    ],
)
def test_a_night_ends_by_the_clock_of_its_zone(at: str, expected: str | None) -> None:
    """Also on the day on which the clock changes."""
    end = hours().end_of(datetime.fromisoformat(at))
    assert end == (expected and datetime.fromisoformat(expected))


def test_a_day_names_the_evening_on_which_the_quiet_hours_start() -> None:
    """The night from Friday to Saturday belongs to Friday."""
    friday = hours(days=["fri"])
    assert friday.end_of(datetime(2026, 11, 28, 1, tzinfo=UTC)) is not None
    assert friday.end_of(datetime(2026, 11, 27, 1, tzinfo=UTC)) is None


def test_a_night_and_a_free_weekend_are_joined() -> None:
    """What comes on Friday evening waits until Monday, in one digest."""
    weekend = hours(**{"from": "00:00", "to": "00:00", "days": ["sat", "sun"]})
    late = datetime(2026, 11, 27, 22, tzinfo=UTC)
    end = find_quiet_end((hours(), weekend), late, Level.MEDIUM)
    assert end == datetime(2026, 11, 30, 6, tzinfo=UTC)


def test_a_high_enough_level_is_sent_at_once() -> None:
    """By default only critical ones."""
    night = datetime(2026, 11, 23, 22, tzinfo=UTC)
    assert find_quiet_end((hours(),), night, Level.HIGH) is not None
    assert find_quiet_end((hours(),), night, Level.CRITICAL) is None
    assert find_quiet_end((hours(unless="high"),), night, Level.HIGH) is None


@given(
    windows=st.lists(
        st.tuples(
            st.integers(0, 23),
            st.integers(0, 23),
            st.sets(st.sampled_from(list(Weekday)), min_size=1, max_size=3),
        ),
        max_size=2,
    ),
    hour=st.integers(0, 24 * 7),
)
def test_quiet_hours_end_where_a_search_hour_by_hour_says(
    windows: list[tuple[int, int, set[Weekday]]], hour: int
) -> None:
    """The search knows only which hours of the week are quiet."""
    quiet = set()
    for start, end, days in windows:
        for day in days:
            first = list(Weekday).index(day) * 24 + start
            quiet |= {(first + step) % 168 for step in range((end - start) % 24 or 24)}

    expected = hour
    while expected % 168 in quiet:
        expected += 1

    parsed = tuple(
        hours(**{"from": time(start), "to": time(end), "zone": "UTC", "days": sorted(days)})
        for start, end, days in windows
    )
    found = find_quiet_end(parsed, MONDAY + timedelta(hours=hour), Level.LOW)
    assert found == (MONDAY + timedelta(hours=expected) if expected > hour else None)


LATE = datetime(2026, 11, 23, 23, tzinfo=UTC)
MORNING = datetime(2026, 11, 24, 6, tzinfo=UTC)


def route(**changes: Any) -> Route:
    """The way of a notification late in the evening, through a channel that is quiet then."""
    url = "http://127.0.0.1:9/x"
    soc = {"quiet_hours": NIGHT, "escalate_to": "boss", "escalate_after": "15m"}
    channels = parse_channels(
        {"soc": {"kind": "slack", "url": url, **soc}, "boss": {"kind": "slack", "url": url}}
    )
    step = build_step(changes.pop("action", None), changes.pop("reporter", None), **changes)
    return find_route(channels, RouteRequest.of(step, LATE))


def test_only_a_held_case_is_escalated() -> None:
    """The rest needs no answer."""
    held = route(occasion=Occasion.HELD, answer_by=MORNING + timedelta(days=1))
    after = timedelta(minutes=15)
    assert held == Route(quiet_until=MORNING, escalate_to="boss", escalate_after=after)
    assert route(occasion=Occasion.DONE) == Route(quiet_until=MORNING)


def test_a_case_that_expires_in_the_night_does_not_wait_for_the_morning() -> None:
    """Else people would hear of it when it is too late."""
    assert route(occasion=Occasion.HELD, answer_by=MORNING).quiet_until is None
    assert route(occasion=Occasion.HELD, answer_by=MORNING + timedelta(seconds=1)).quiet_until


def test_a_channel_without_quiet_hours_and_a_reporter_get_everything_at_once() -> None:
    """An unknown channel too: the delivery says what is wrong."""
    assert route(action=Notify(channel="boss")) == Route()
    assert route(action=Notify(channel="gone")) == Route()
    assert route(action=TellReporter(channel="soc"), reporter="u@own.test") == Route()
