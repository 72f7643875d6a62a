"""What a response to a move or release says about each message, and what it leaves open."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions.responses import move_outcomes, refusal_outcome, release_outcomes
from clawback.cloudflare import MoveItem
from clawback.cloudflare.operations.investigate import ReleaseItem
from clawback.model.messages import Target

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SHARED = "<one@mail.test>"


def target(number: int, mailbox: str | None = None, message_id: str | None = SHARED) -> Target:
    """A message, by default with the Message-ID that all share."""
    return Target(
        id=f"p{number}-2026-11-22T00:00:00-{number}",
        at=NOW,
        message_id=message_id,
        mailbox=mailbox or f"u{number}@corp.test",
    )


def item(name: str, *, success: bool | None = True, **fields: Any) -> MoveItem:
    """An item of a response."""
    return MoveItem.parse({"message_id": name, "success": success, **fields})


ONE, TWO = target(1), target(2)


def test_one_item_under_a_shared_id_settles_nobody() -> None:
    """Two mails with one Message-ID, and one item that names only that."""
    assert move_outcomes([ONE, TWO], [item(SHARED)]) == {}


def test_the_mailbox_tells_who_is_meant() -> None:
    """The item of one mailbox settles its message, also a refusal; the other stays open."""
    assert move_outcomes([ONE, TWO], [item(SHARED, recipient="U1@corp.test")]) == {ONE.id: "moved"}
    refused = item(SHARED, success=False, status="busy", recipient=TWO.mailbox)
    assert move_outcomes([ONE, TWO], [item(SHARED, recipient=ONE.mailbox), refused]) == {
        ONE.id: "moved",
        TWO.id: "failed:busy",
    }


def test_a_refusal_of_an_unknown_mailbox_may_concern_anybody() -> None:
    """Nobody is called moved then."""
    items = [
        item(SHARED, recipient=ONE.mailbox),
        item(SHARED, success=False, recipient="x@corp.test"),
    ]
    assert move_outcomes([ONE, TWO], items) == {}


def test_two_copies_in_one_mailbox_need_two_items() -> None:
    """One item for two mails of one mailbox does not say which."""
    twins = [target(1, "u@corp.test"), target(2, "u@corp.test")]
    same = item(SHARED, recipient="u@corp.test")
    assert move_outcomes(twins, [same]) == {}
    assert move_outcomes(twins, [same, same]) == {one.id: "moved" for one in twins}


def test_an_id_of_its_own_comes_before_a_shared_one() -> None:
    """The investigate id decides, whatever is said about the Message-ID."""
    items = [item(ONE.id), item(SHARED, success=False, status="busy")]
    assert move_outcomes([ONE, TWO], items) == {ONE.id: "moved"}


@pytest.mark.parametrize(
    ("items", "outcome"),
    [
        ([(True, "completed")], "moved"),
        ([(True, "completed"), (False, "Message not found in mailbox")], "moved"),
        ([(False, "Message not found in mailbox")], "gone"),
        ([(True, "completed"), (False, "busy")], "failed:partly_moved"),
        ([(False, "mailbox not found"), (False, "busy")], "failed:busy"),
        ([(True, "queued")], None),
        ([(None, "completed")], None),
        ([(False, "in progress")], None),
        ([(True, "completed"), (False, "pending")], None),
    ],
)
def test_the_items_of_all_recipients_count(
    items: list[tuple[bool | None, str]], outcome: str | None
) -> None:
    """Gone for one of them is no failure; what is only accepted stays open."""
    found = move_outcomes([ONE], [item(ONE.id, success=yes, status=text) for yes, text in items])
    assert found.get(ONE.id) == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Message not found in mailbox", "gone"),
        ("not found in the mailbox", "gone"),
        ("Mailbox not found", "gone"),
        ("The mailbox does not exist", "gone"),
        ("ErrorItemNotFound: the object was not found", "gone"),
        ("message was deleted", "gone"),
        ("not_found", "failed:not_found"),
        ("folder not found", "failed:folder_not_found"),
        ("quarantined", "failed:quarantined"),
        ("", "failed:refused"),
        (None, "failed:refused"),
    ],
)
def test_a_refusal_is_gone_or_failed(status: str | None, outcome: str) -> None:
    """A bare "not found" is a failure: the API may not know our id."""
    assert refusal_outcome(status) == outcome


@given(st.data())
def test_nothing_is_called_moved_that_was_not(data: st.DataObject) -> None:
    """Whatever ids messages share and items name, an outcome agrees with what happened."""
    count = data.draw(st.integers(1, 5))
    names = st.sampled_from(["<a@m.test>", "<b@m.test>"])
    targets = [
        target(number, data.draw(st.sampled_from(["u@c.test", "v@c.test"])), data.draw(names))
        for number in range(count)
    ]
    items, moved = [], set()
    for one in targets:
        is_moved, is_named = data.draw(st.booleans()), data.draw(st.booleans())
        moved |= {one.id} if is_moved else set()
        if is_named:
            name = data.draw(st.sampled_from([one.id, one.message_id or ""]))
            items.append(item(name, success=is_moved, status="x", recipient=one.mailbox))

    outcomes = move_outcomes(targets, items)
    assert {id_ for id_, outcome in outcomes.items() if outcome == "moved"} <= moved


def test_strangers_in_a_release_have_no_outcome() -> None:
    """Only the messages of the request do, also if the item names a postfix id."""
    items = [
        ReleaseItem.parse({"id": "stranger", "delivered": ["a@corp.test"]}),
        ReleaseItem.parse({"id": "p1", "delivered": ["a@corp.test"]}),
    ]
    assert release_outcomes([ONE], items) == {ONE.id: "released"}


def test_two_items_of_one_release_must_agree() -> None:
    """Delivered to one recipient and not to another is partly released, in any order."""
    good = ReleaseItem.parse({"id": ONE.id, "delivered": ["a@corp.test"]})
    bad = ReleaseItem.parse({"id": ONE.id, "delivered": [], "failed": ["b@corp.test"]})
    for items in ([good, bad], [bad, good]):
        assert release_outcomes([ONE], items) == {ONE.id: "failed:partly_released"}
