"""Events are built from any record that has an id, however odd the rest of it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.events import (
    SOURCES,
    EventKind,
    NotAnEvent,
    build_event,
    is_too_old,
    message_event,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "scanned_at",
        "sent_at",
        "message_id",
        "post_delivery_operations",
        "delivery_status",
        "fields",
        "created_at",
        "x",
    ]
)


@given(st.dictionaries(FIELDS, JSON))
def test_odd_values_never_stop_a_record(record: dict[str, Any]) -> None:
    """Wrong types and missing fields are for rules to see; the time is never in the future."""
    for build, field in (
        (message_event, "id"),
        (SOURCES[EventKind.PHISHGUARD_REPORT].build, "id"),
        (SOURCES[EventKind.SUBMISSION].build, "submission_id"),
    ):
        event = build({**record, field: 7}, NOW)
        assert (event.id, event.at <= NOW) == ("7", True)


@pytest.mark.parametrize("identity", [None, "", True, [], {}])
def test_a_record_without_an_id_is_no_event(identity: object) -> None:
    """It is the one thing that is required."""
    with pytest.raises(NotAnEvent):
        message_event({"id": identity}, NOW)


@pytest.mark.parametrize(
    "record",
    [
        {"post_delivery_operations": ["PREVIEW", "MOVE"]},
        {"delivery_status": ["delivered", "moved"]},
        {"is_quarantined": True},
    ],
)
def test_what_was_dealt_with_is_seen(record: dict[str, Any]) -> None:
    """Moved by anybody, or quarantined."""
    assert message_event({"id": "m", **record}, NOW).handled


def test_detections_go_where_rules_look_for_them() -> None:
    """On a message at the top, on a report inside its message."""
    message = message_event({"id": "m", "from": "a@x.test"}, NOW)
    assert message.with_detections({"links": []}).record["detections"] == {"links": []}
    report = (
        build_event(EventKind.PHISHGUARD_REPORT, {"id": 1}, NOW)
        .with_message(message)
        .with_detections({"links": []})
    )
    assert report.record["message"] == {"id": "m", "from": "a@x.test", "detections": {"links": []}}
    assert (report.kind, report.targets, report.key) == (
        EventKind.PHISHGUARD_REPORT,
        message.targets,
        "phishguard_report/1",
    )


def test_the_age_limit() -> None:
    """Older than the limit is too old; no limit, never."""
    event = message_event({"id": "m", "scanned_at": "2026-11-20T12:00:00Z"}, NOW)
    assert is_too_old(event, NOW, timedelta(hours=47))
    assert not is_too_old(event, NOW, timedelta(hours=48))
    assert not is_too_old(event, NOW, None)


def test_what_is_about_old_mail_is_as_old_as_that() -> None:
    """Somebody reports today what came two days ago."""
    message = message_event({"id": "m", "scanned_at": "2026-11-20T12:00:00Z"}, NOW)
    submitted = build_event(
        EventKind.SUBMISSION, {"submission_id": "s", "requested_at": NOW.isoformat()}, NOW
    )
    assert not is_too_old(submitted, NOW, timedelta(hours=47))
    assert is_too_old(submitted.with_message(message), NOW, timedelta(hours=47))
