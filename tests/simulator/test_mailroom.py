"""Paging against a brute-force oracle, and how much of the mailroom a page looks at."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.simulator import Order, Shape, Simulator, SimulatorOptions, outbreak
from clawback.simulator.mail import Mail, build
from clawback.simulator.mailbox_store import MailboxSearch, MailboxStore

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)

minutes = st.integers(min_value=0, max_value=30)
arrivals = st.lists(st.tuples(st.integers(min_value=0, max_value=25), minutes), max_size=60)


Batches = tuple[list[tuple[int, int]], list[tuple[int, int]]]


def mail(number: int, minute: int) -> Mail:
    """Make a message scanned in that minute."""
    at = (EPOCH + timedelta(minutes=minute)).isoformat()
    return build(
        {"id": f"m{number}", "scanned_at": at, "final_disposition": "SPAM"}, None, EPOCH, Shape.NEW
    )


windows = st.tuples(minutes, minutes)
batches = st.tuples(arrivals, arrivals)


@given(batches, st.sampled_from(Order), windows, st.integers(min_value=1, max_value=7))
def test_pages_are_what_a_scan_would_find(
    arrived: Batches, order: Order, window: tuple[int, int], per_page: int
) -> None:
    """However messages arrive, in one go or two, replaced or not.

    The pages are exactly the window, in order, without repetition.
    """
    room = MailboxStore(order)
    for batch in arrived:
        room.put(mail(*entry) for entry in batch)
    first, last = window
    search = MailboxSearch(
        EPOCH + timedelta(minutes=first), EPOCH + timedelta(minutes=last), lambda _: True, EPOCH
    )

    seen: list[Mail] = []
    cursor = None
    while cursor is not None or not seen:
        page = room.page(search, per_page, cursor)
        assert len(page.mails) <= per_page
        seen += page.mails
        if (cursor := page.following) is None:
            break

    expected = {
        f"m{number}"
        for number, minute in dict(arrived[0] + arrived[1]).items()
        if first <= minute < last
    }
    assert sorted(found.id for found in seen) == sorted(expected)
    if order is not Order.SHUFFLED:
        times = [found.at for found in seen]
        assert times == sorted(times, reverse=order is Order.NEWEST)


@pytest.mark.parametrize("order", [Order.NEWEST, Order.OLDEST])
async def test_a_page_looks_at_no_more_than_it_needs(order: Order) -> None:
    """Of many messages, a page of a hundred looks at those in its window and after its cursor alone, and at one more."""
    simulator = Simulator(SimulatorOptions(order=order))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    simulator.take(outbreak(3000, start=start))
    looked: list[str] = []

    def keep(found: Mail) -> bool:
        looked.append(found.id)
        return True

    search = MailboxSearch(
        start + timedelta(seconds=5), start + timedelta(seconds=25), keep, simulator.world.now
    )
    first = simulator.world.mailroom.page(search, 100, None)
    second = simulator.world.mailroom.page(search, 100, first.following)
    assert len(looked) == 202
    assert not {found.id for found in first.mails} & {found.id for found in second.mails}


def test_forgetting_leaves_the_rest_as_it_was() -> None:
    """Messages before a moment are gone from every index, the others are found as before."""
    room = MailboxStore()
    room.put(mail(number, number) for number in range(20))
    room.forget(EPOCH + timedelta(minutes=12))
    search = MailboxSearch(EPOCH, EPOCH + timedelta(hours=1), lambda _: True, EPOCH)
    assert [found.id for found in room.find(search)] == [
        f"m{number}" for number in range(19, 11, -1)
    ]
    assert (
        len(room.by_id)
        == len([kept for shared in room.by_postfix_id.values() for kept in shared])
        == 8
    )
