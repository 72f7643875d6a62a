"""Events are built from any record that has an id, however odd the rest of it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.model.derived_fields import DERIVATIONS
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


def test_names_are_in_their_canonical_form() -> None:
    """Rules see one form of addresses and IP addresses; requests and people the original."""
    record = {
        "id": "m1",
        "from": "Pay@Bücher.example.",
        "to": ["A@X.test", None, 7],
        "smtp_previous_hop_ip": "::ffff:10.1.2.3",
        "subject": "As It Is",
    }
    event = message_event(record, NOW).with_detections({"sender_info": {"pld": "BÜCHER.example"}})

    assert event.record["from"] == "pay@xn--bcher-kva.example"
    assert event.record["to"] == ["a@x.test", None, 7]
    assert event.record["smtp_previous_hop_ip"] == "10.1.2.3"
    assert event.record["subject"] == "As It Is"
    assert event.record["detections"]["sender_info"]["pld"] == "xn--bcher-kva.example"
    assert event.as_read == record | {"detections": {"sender_info": {"pld": "BÜCHER.example"}}}
    assert event.targets[0].sender == "Pay@Bücher.example."


def test_a_canonical_record_is_not_copied() -> None:
    """Nearly every record is canonical already, and then costs nothing."""
    record = {"id": "m1", "from": "a@x.test", "to": ["b@x.test"]}
    assert message_event(record, NOW).record is record


def test_a_joined_message_keeps_both_forms() -> None:
    """A report joined to a message has the canonical record of both, and the original ones."""
    report = {"id": 7, "fields": {"from": "A@X.test", "to": ["B@X.test"]}}
    event = build_event(EventKind.PHISHGUARD_REPORT, report, NOW).with_message(
        message_event({"id": "m1", "from": "A@X.test"}, NOW)
    )
    assert event.record["fields"] == {"from": "a@x.test", "to": ["b@x.test"]}
    assert event.record["message"]["from"] == "a@x.test"
    assert event.as_read == report | {"message": {"id": "m1", "from": "A@X.test"}}


def test_a_report_searches_as_the_api_wrote_the_sender() -> None:
    """The API may know a sender under the notation that it reported, and under no other."""
    report = {"id": 7, "fields": {"from": "Pay@Bücher.example"}}
    source = SOURCES[EventKind.PHISHGUARD_REPORT]
    search = source.join_search(source.build(report, NOW))
    assert search.sender == "Pay@Bücher.example"


def test_what_is_remembered_of_recipients_is_never_taken_for_others() -> None:
    """Lists of the same and of other values follow each other, in one record and in the next."""
    record = {
        "id": "m1",
        "to": ["A@X.test", "b@x.test"],
        "envelope_to": ["A@X.test", "b@x.test"],
        "client_recipients": ["A@X.test", 1],
    }
    for _ in range(2):
        canonical = message_event(record, NOW).record
        assert canonical["to"] == canonical["envelope_to"] == ["a@x.test", "b@x.test"]
        assert canonical["client_recipients"] == ["a@x.test", 1]
    odd = message_event({**record, "to": ["A@X.test", True], "envelope_to": []}, NOW).record
    assert odd["to"][1] is True
    assert odd["envelope_to"] == []


@pytest.mark.parametrize("year", ["0001-01-01", "1970-01-01", "9999-12-31"])
def test_a_report_takes_the_next_of_its_times_that_makes_sense(year: str) -> None:
    """Neither it nor the search for its message is of year 1."""
    source = SOURCES[EventKind.PHISHGUARD_REPORT]
    record = {
        "id": 1,
        "created_at": f"{year}T00:00:00Z",
        "fields": {"occurred_at": "2026-11-22T11:00:00Z"},
    }
    event = build_event(EventKind.PHISHGUARD_REPORT, record, NOW)
    assert (event.at, event.is_dated) == (NOW - timedelta(hours=1), True)

    record["fields"] = {"occurred_at": f"{year}T00:00:00Z"}
    event = build_event(EventKind.PHISHGUARD_REPORT, record, NOW)
    assert (event.at, event.is_dated) == (NOW, False)
    assert source.join_search(event).start == NOW - timedelta(hours=1)


def test_what_is_about_undated_mail_is_undated() -> None:
    """A report of today says nothing about the age of the message."""
    report = build_event(EventKind.PHISHGUARD_REPORT, {"id": 1, "created_at": "2026-11-22"}, NOW)
    joined = report.with_message(message_event({"id": "m", "scanned_at": "0001-01-01"}, NOW))
    assert report.is_dated
    assert not joined.is_dated
    assert not joined.with_detections({}).is_dated


def test_a_clock_that_is_ahead_is_no_nonsense() -> None:
    """A time of the next hours counts as now."""
    ahead = (NOW + timedelta(hours=3)).isoformat()
    event = message_event({"id": "m", "scanned_at": ahead}, NOW)
    assert (event.at, event.is_dated) == (NOW, True)


def test_a_time_that_makes_no_sense_has_no_delay() -> None:
    """`sent_delay` would be two thousand years, and rules would act on it."""
    record = {"sent_at": "2026-11-22T11:00:00Z", "scanned_at": "0001-01-01T00:00:00Z"}
    delay = DERIVATIONS["sent_delay"].derive
    assert delay(record) is None
    assert delay(record | {"scanned_at": "2026-11-22T11:00:07Z"}) == 7
