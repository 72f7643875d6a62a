"""Keyed hashes of what a case touches."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from clawback.cases.touches import MOST_VALUES, Mark, TouchedKind, Touches, touch_hash
from clawback.model.messages import Target

KEY = b"k" * 32
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
texts = st.text(min_size=1, max_size=12)
targets = st.builds(
    Target,
    id=texts,
    message_id=st.none() | texts,
    at=st.just(NOW),
    sender=st.none() | texts,
    mailbox=st.none() | texts,
)


def test_a_hash_depends_on_key_and_kind_and_not_on_the_case_of_an_address() -> None:
    """Without the key nobody can look an address up."""
    known = touch_hash(KEY, TouchedKind.SENDER, "Ana@Bad.test")
    assert known == touch_hash(KEY, TouchedKind.SENDER, "ana@bad.test")
    assert known != touch_hash(b"other", TouchedKind.SENDER, "ana@bad.test")
    assert known != touch_hash(KEY, TouchedKind.MAILBOX, "ana@bad.test")
    assert "ana" not in known


@given(st.lists(targets, max_size=120, unique_by=lambda target: target.id))
def test_everything_is_found_or_the_case_says_that_it_holds_more(found: list[Target]) -> None:
    """The values are bounded, and nothing is left out silently."""
    touches = Touches(KEY)
    touches.add(found)
    touches.add(found)  # the same messages again change nothing
    assert len(touches.values) <= MOST_VALUES + len(Mark)
    assert len(str([*touches.values])) < 2048
    wanted = {
        touch_hash(KEY, kind, value)
        for target in found
        for kind, value in (
            (TouchedKind.MESSAGE, target.id),
            (TouchedKind.MESSAGE, target.message_id),
            (TouchedKind.SENDER, target.sender),
            (TouchedKind.MAILBOX, target.mailbox),
        )
        if value
    }
    assert touches.is_truncated or wanted == set(touches.values)


def test_a_campaign_of_fifty_messages_is_in_the_index_whole() -> None:
    """Ordinary cases need no look at their history."""
    touches = Touches(KEY)
    touches.add(
        Target(id=f"i{n}", message_id=f"m{n}", at=NOW, sender="a@bad.test", mailbox=f"u{n}@x.test")
        for n in range(50)
    )
    assert not touches.is_truncated
