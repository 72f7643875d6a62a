"""What a search returned is compared with what was asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from clawback.actions import MessageSearch
from clawback.actions.search_check import is_wanted

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def search(sender: str = "", subject: str = "") -> MessageSearch:
    """A search of the last week."""
    return MessageSearch(
        sender=sender, subject=subject, start=NOW - timedelta(days=7), end=NOW, most=10
    )


@pytest.mark.parametrize(
    ("sender", "record", "fits"),
    [
        ("bob@bad.test", {"from": "Bob@BAD.test"}, True),
        ("bob@bad.test", {"from": "jimbob@good.test"}, False),
        ("bob@bad.test", {"from": "bob@sub.bad.test"}, False),
        ("bob@bad.test", {"from": "a@good.test", "envelope_from": "bob@bad.test"}, True),
        ("bob@bad.test", {"from": None}, False),
        ("bad.test", {"from": "bob@sub.bad.test"}, True),
        ("bad.test", {"from": "bob@notbad.test"}, False),
        ("@bad.test", {"from": "bob@bad.test"}, True),
    ],
)
def test_the_sender_is_the_one_that_was_asked_for(
    sender: str, record: dict[str, object], *, fits: bool
) -> None:
    """An address as a whole; a domain with its subdomains."""
    assert is_wanted(search(sender=sender), record, NOW) is fits


@pytest.mark.parametrize(
    ("subject", "fits"), [("invoice pay", True), ("PAY", True), ("pay today", False)]
)
def test_every_word_is_in_the_subject(subject: str, *, fits: bool) -> None:
    """In any order and case."""
    assert is_wanted(search(subject=subject), {"subject": "Pay your invoice"}, NOW) is fits


@pytest.mark.parametrize(("days", "fits"), [(0, True), (6, True), (8, False)])
def test_the_time_is_the_one_that_was_asked_for(days: int, *, fits: bool) -> None:
    """Mail from before the window is left out."""
    assert is_wanted(search(), {}, NOW - timedelta(days=days)) is fits
