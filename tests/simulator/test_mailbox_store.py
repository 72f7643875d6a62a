"""Paging against a brute-force oracle, and how many messages a page examines."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.simulator import Order, Shape, Simulator, SimulatorOptions, outbreak
from clawback.simulator.mail import Mail, build_mail
from clawback.simulator.mailbox_store import MailboxSearch, MailboxStore

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)

minutes = st.integers(min_value=0, max_value=30)
arrivals = st.lists(st.tuples(st.integers(min_value=0, max_value=25), minutes), max_size=60)


Batches = tuple[list[tuple[int, int]], list[tuple[int, int]]]


def mail(number: int, minute: int) -> Mail:
    """A message scanned in that minute."""
    at = (EPOCH + timedelta(minutes=minute)).isoformat()
    return build_mail(
        {"id": f"m{number}", "scanned_at": at, "final_disposition": "SPAM"}, None, EPOCH, Shape.NEW
    )


windows = st.tuples(minutes, minutes)
batches = st.tuples(arrivals, arrivals)


@given(batches, st.sampled_from(Order), windows, st.integers(min_value=1, max_value=7))
def test_pages_are_what_a_scan_would_find(
    arrived: Batches, order: Order, window: tuple[int, int], per_page: int
) -> None:
    """The pages are exactly the window, in order, however messages arrive or are replaced."""
    store = MailboxStore(order)
    for batch in arrived:
        store.put(mail(*entry) for entry in batch)
    first, last = window
    search = MailboxSearch(
        EPOCH + timedelta(minutes=first), EPOCH + timedelta(minutes=last), lambda _: True, EPOCH
    )

    seen: list[Mail] = []
    cursor = None
    while cursor is not None or not seen:
        page = store.page(search, per_page, cursor)
        assert len(page.mails) <= per_page
        seen += page.mails
        if (cursor := page.next_cursor) is None:
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
async def test_a_page_examines_no_more_messages_than_it_needs(order: Order) -> None:
    """A page of 100 examines 101: those in its window after the cursor, and one more."""
    simulator = Simulator(SimulatorOptions(order=order))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    simulator.add(outbreak(3000, start=start))
    examined: list[str] = []

    def examine(found: Mail) -> bool:
        examined.append(found.id)
        return True

    search = MailboxSearch(
        start + timedelta(seconds=5), start + timedelta(seconds=25), examine, simulator.account.now
    )
    first = simulator.account.mailboxes.page(search, 100, None)
    second = simulator.account.mailboxes.page(search, 100, first.next_cursor)
    assert len(examined) == 202
    assert not {found.id for found in first.mails} & {found.id for found in second.mails}


def test_expiry_keeps_later_messages() -> None:
    """Earlier messages leave every index; the others are found as before."""
    store = MailboxStore()
    store.put(mail(number, number) for number in range(20))
    store.expire(EPOCH + timedelta(minutes=12))
    search = MailboxSearch(EPOCH, EPOCH + timedelta(hours=1), lambda _: True, EPOCH)
    assert [found.id for found in store.find(search)] == [
        f"m{number}" for number in range(19, 11, -1)
    ]
    assert (
        len(store.by_id)
        == len([kept for shared in store.by_postfix_id.values() for kept in shared])
        == 8
    )
