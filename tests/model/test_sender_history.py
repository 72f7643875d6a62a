"""What came before a message of a sender, against a count by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.model.sender_history import CAMPAIGN_SPAN, HISTORY_SPAN, SenderHistory, sender_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RECIPIENTS = ["ana@corp.example", "Ana@corp.example", "bo@corp.example", "dana@corp.example"]
sent = st.tuples(
    st.sampled_from([0, 1, 2, 23, 24, 25, 24 * 29, 24 * 30, 24 * 31, -1]),
    st.fixed_dictionaries(
        {},
        optional={
            "message_id": st.sampled_from(["<1>", "<2>", "<3>", "", None]),
            "edf_hash": st.sampled_from(["a", "b", None]),
            "final_disposition": st.sampled_from(["NONE", "MALICIOUS", "MALICIOUS-BEC", None]),
            "client_recipients": st.one_of(
                st.none(), st.lists(st.sampled_from(RECIPIENTS), max_size=3)
            ),
        },
    ),
)


@settings(deadline=None)
@given(messages=st.lists(sent, max_size=8), record=sent.map(lambda one: one[1]))
def test_the_summary_is_a_count_by_hand(
    messages: list[tuple[int, dict[str, Any]]], record: dict[str, Any]
) -> None:
    """Thirty days before the message count, without its copies and its campaign of a day."""
    history = SenderHistory()
    for hours, message in messages:
        history.add(message, NOW - timedelta(hours=hours))

    before = [
        (hours, message)
        for hours, message in messages
        if 0 < hours <= 24 * 30
        and not (message.get("message_id") and message["message_id"] == record.get("message_id"))
        and not (
            hours <= 24
            and message.get("edf_hash")
            and message["edf_hash"] == record.get("edf_hash")
        )
    ]
    first = max((hours for hours, _ in before), default=None)
    reached = {
        address.lower() for _, one in before for address in one.get("client_recipients") or []
    }
    assert history.summarize(record, NOW) == {
        "first_seen": f"{NOW - timedelta(hours=first):%Y-%m-%dT%H:%M:%SZ}" if first else None,
        "messages": len(before),
        "malicious": sum(
            str(one.get("final_disposition")).startswith("MALICIOUS") for _, one in before
        ),
        "recipients": len(reached),
    }


def test_the_spans_are_those_of_the_documentation() -> None:
    """Thirty days, and one day for a campaign."""
    assert timedelta(days=30) == HISTORY_SPAN
    assert timedelta(days=1) == CAMPAIGN_SPAN


def test_a_message_takes_few_bytes() -> None:
    """A thousand messages to one mailbox each take 35 KB."""
    history = SenderHistory()
    for number in range(1000):
        history.add({"message_id": str(number), "client_recipients": ["ana@corp.example"]}, NOW)

    assert history.size <= 35_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ana@X.test", "Ana@x.test"),
        ("ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
        (None, None),
        ("", None),
        ("no address", None),
        (["a@x.test"], None),
        ("a" * 400 + "@x.test", None),
    ],
)
def test_the_sender_is_a_canonical_address(value: object, expected: str | None) -> None:
    """What a search cannot find is no sender."""
    found = sender_of({"from": value})

    assert (found or "").lower() == (expected or "").lower()


@pytest.mark.parametrize("odd", [5, "ana@corp.example", [None, 7], {"a": 1}])
def test_odd_records_are_counted(odd: object) -> None:
    """A record with values of the wrong type is a message without recipients."""
    history = SenderHistory()
    record = {"client_recipients": odd, "message_id": odd, "edf_hash": [odd]}
    history.add(record, NOW - timedelta(hours=1))

    assert history.summarize({}, NOW)["messages"] == 1
    assert history.summarize({}, NOW)["recipients"] == 0
