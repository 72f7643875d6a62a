"""What a case keeps of a message: bounded, and without texts where a request needs none."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from clawback.model.messages import LONGEST_NAME, LONGEST_SUBJECT, Target

NOW = datetime(2026, 11, 28, tzinfo=UTC)
RECORD = {
    "final_disposition": "MALICIOUS",
    "from": "billing@paypa1.test",
    "from_name": "PayPal",
    "subject": "Invoice 4471 overdue",
    "client_recipients": ["ana@corp.test"],
    "validation": {"spf": "fail", "dkim": "pass", "dmarc": "fail", "comment": None},
}


def read(**changes: Any) -> Target:
    """Read a message from a record."""
    return Target.of("m", NOW, {**RECORD, **changes})


def test_subject_name_and_results_are_read() -> None:
    """They are in the Investigate record."""
    target = read()
    assert (target.subject, target.sender_name) == ("Invoice 4471 overdue", "PayPal")
    assert (target.spf, target.dkim, target.dmarc) == ("fail", "pass", "fail")


@pytest.mark.parametrize("odd", [None, "", 7, ["x"], {"x": 1}])
def test_odd_texts_are_left_out(odd: object) -> None:
    """The API may send anything."""
    target = read(subject=odd, from_name=odd, validation=odd)
    assert (target.subject, target.sender_name, target.authentication) == (None, None, "")


@pytest.mark.parametrize("text", ["a" * 100_000, "ü" * 50_000, "\ud800" * 1000, "🦀" * 1000])
def test_long_texts_are_cut_by_bytes(text: str) -> None:
    """Whatever they consist of."""
    target = read(subject=text, from_name=text, validation={"spf": text})
    assert len((target.subject or "").encode()) <= LONGEST_SUBJECT
    assert len((target.sender_name or "").encode()) <= LONGEST_NAME
    assert len((target.spf or "").encode()) <= 20


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ({"spf": "fail", "dkim": "pass", "dmarc": "fail"}, "spf fail, dmarc fail"),
        ({"spf": "pass", "dkim": "pass", "dmarc": "pass"}, "spf, dkim, dmarc pass"),
        ({"dmarc": "NONE"}, "dmarc none"),
        ({"spf": "pass"}, "spf pass"),
        ({}, ""),
    ],
)
def test_authentication_is_said_in_words(results: dict[str, str], words: str) -> None:
    """What failed is named; that all passed is said once."""
    assert read(validation=results).authentication == words


def test_a_request_carries_no_texts() -> None:
    """They would triple what a move of a thousand messages sends, and nothing reads them."""
    bare = read().without_texts
    assert TypeAdapter(Target).dump_python(bare, mode="json").keys() == {
        "id",
        "message_id",
        "at",
        "verdict",
        "sender",
        "mailbox",
        "quarantined",
    }
    assert (bare.sender, bare.mailbox) == ("billing@paypa1.test", "ana@corp.test")
