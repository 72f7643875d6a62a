"""Sizes are those of the JSON that is sent, and every batch stays below its limit."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawback.cases import Match
from clawback.ingest.split import split_match
from clawback.model.events import message_event
from clawback.model.messages import Target
from clawback.model.size import BATCH_LIMIT, MATCH_LIMIT, payload_size, split_by_size
from clawback.temporal.data_converter import data_converter

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TEXTS = st.text(st.characters(), max_size=40)


@given(st.lists(TEXTS.map(lambda text: text.encode("utf-8", "replace").decode())))
def test_batches_keep_order_and_limit(items: list[str]) -> None:
    """Nothing is lost; only an item that is too large alone makes a larger batch."""
    batches = list(split_by_size(items, 100, most=5))
    assert [item for batch in batches for item in batch] == items
    assert all(batch and len(batch) <= 5 for batch in batches)
    assert all(len(batch) == 1 or payload_size(batch) <= 101 for batch in batches)


def test_a_size_is_that_of_the_payload() -> None:
    """The data converter writes exactly as many bytes, before it compresses."""
    target = Target(id="\x00ü", at=NOW, message_id="<x@y>")
    (payload,) = data_converter(None).payload_converter.to_payloads([target])
    assert payload_size(target) == len(payload.data)


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 30_000))
def test_every_message_fits(message_id: str, sender: str, mailbox: str, times: int) -> None:
    """Whatever a mail holds, its match can be sent, in far less than one batch."""
    record: dict[str, Any] = {
        "id": "4abc",
        "message_id": message_id * times,
        "from": sender * times,
        "client_recipients": [mailbox * times],
        "final_disposition": sender * times,
    }
    event = message_event(record, NOW)
    match = Match(key=event.key, at=NOW, seen_at=NOW, targets=event.targets)
    assert payload_size(match) < MATCH_LIMIT


def test_a_message_id_longer_than_a_line_is_unknown() -> None:
    """It identifies nothing, and the message stays one that can be moved."""
    for length, known in ((998, True), (999, False)):
        event = message_event({"id": "4abc", "message_id": "x" * length}, NOW)
        assert (event.targets[0].message_id is not None) is known


def test_the_copies_of_one_mail_are_split() -> None:
    """A mail in 5,000 mailboxes is several matches, each with a key of its own, counted once."""
    targets = tuple(
        Target(id=f"4abc-{number}", at=NOW, message_id="m" * 998) for number in range(5000)
    )
    match = Match(key="submission/1@a", at=NOW, seen_at=NOW, targets=targets)
    parts = list(split_match(match, "submission/1"))
    assert tuple(target for part in parts for target in part.targets) == targets
    assert len({part.key for part in parts}) == len(parts) > 50
    assert {part.window_key for part in parts[1:]} == {"submission/1"}
    assert all(payload_size(part) < BATCH_LIMIT for part in parts)
