"""Which events rules may act on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawback.model.events import Event, EventKind, build_event, message_event
from clawback.rules import Safety
from clawback.rules.eligibility import (
    AgeLimit,
    Ineligibility,
    age_limit_in_force,
    find_ineligibilities,
    is_searchable,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAFETY = Safety.model_validate(
    {"ignored_delivery_modes": ["SIMULATION_SUBMISSION"], "maximum_age": "72h"}
)


def message(**fields: Any) -> Event:
    """Build a message that was scanned an hour ago, unless `fields` say otherwise."""
    scanned_at = (NOW - timedelta(hours=1)).isoformat()
    return message_event({"id": "m", "scanned_at": scanned_at, **fields}, NOW)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ()),
        ({"delivery_mode": "DIRECT"}, ()),
        ({"delivery_mode": ["SIMULATION_SUBMISSION"]}, ()),
        ({"delivery_mode": "SIMULATION_SUBMISSION"}, (Ineligibility.DELIVERY_MODE,)),
        ({"scanned_at": "2026-11-01T00:00:00Z"}, (Ineligibility.AGE,)),
        ({"scanned_at": "0001-01-01T00:00:00Z"}, (Ineligibility.NO_TIME,)),
        (
            {"delivery_mode": "SIMULATION_SUBMISSION", "scanned_at": "2026-11-01T00:00:00Z"},
            (Ineligibility.DELIVERY_MODE, Ineligibility.AGE),
        ),
    ],
)
def test_an_event_is_ineligible_by_delivery_mode_and_by_age(
    fields: dict[str, Any], reasons: tuple[Ineligibility, ...]
) -> None:
    """Every reason is returned, and a value of an unexpected type is none."""
    assert find_ineligibilities(message(**fields), SAFETY, timedelta(hours=72), NOW) == reasons


def test_a_report_is_as_ineligible_as_its_message() -> None:
    """Before it is joined, nothing is known of its delivery mode."""
    report = build_event(
        EventKind.PHISHGUARD_REPORT, {"id": "r", "created_at": NOW.isoformat()}, NOW
    )
    joined = report.with_message(message(delivery_mode="SIMULATION_SUBMISSION"))
    assert find_ineligibilities(report, SAFETY, None, NOW) == ()
    assert find_ineligibilities(joined, SAFETY, None, NOW) == (Ineligibility.DELIVERY_MODE,)


@pytest.mark.parametrize(
    ("setting", "limit"),
    [("off", None), (None, timedelta(hours=72)), (timedelta(hours=1), timedelta(hours=1))],
)
def test_a_setting_overrides_the_age_limit_of_safety_yml(
    setting: AgeLimit, limit: timedelta | None
) -> None:
    """`off` removes it; without a setting safety.yml decides."""
    assert age_limit_in_force(setting, SAFETY) == limit


def test_a_search_leaves_out_what_somebody_has_handled() -> None:
    """And what was delivered in a mode that is never acted on."""
    ignored = SAFETY.ignored_delivery_modes
    assert is_searchable(message(), ignored)
    assert not is_searchable(message(is_quarantined=True), ignored)
    assert not is_searchable(message(delivery_mode="SIMULATION_SUBMISSION"), ignored)
