"""Searches of servers that name the next page in their own way, or not at all."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.cloudflare import EmailSecurity, pages
from clawback.cloudflare.errors import UnreadableResponse
from clawback.cloudflare.time_split import MOST_UNSEEN
from tests.cloudflare.support import Ledger, client, envelope

START = datetime(2026, 11, 28, 8, tzinfo=UTC)
END = START + timedelta(minutes=15)
SIZE = 5

SHAPES: Mapping[str, Callable[[str | None], dict[str, Any]]] = {
    "next": lambda cursor: {"next": cursor},
    "a number": lambda cursor: {"next": None if cursor is None else int(cursor)},
    "next_cursor": lambda cursor: {"next_cursor": cursor},
    "cursor": lambda cursor: {"cursor": cursor},
    "cursors.after": lambda cursor: {"cursors": {"after": cursor, "before": "0"}},
    "after": lambda cursor: {"next": None, "after": cursor or ""},
    "a link": lambda cursor: {"links": {"next": cursor and f"/investigate?cursor={cursor}"}},
    "none": lambda _: {},
    "the same": lambda _: {"next": "0"},
    "only once": lambda cursor: {"next": cursor} if cursor == str(SIZE) else {},
}


class Server:
    """Holds messages, each at a second of the window, and pages them in one of the shapes."""

    def __init__(self, seconds: list[int], shape: str) -> None:
        self.seconds = sorted(seconds)
        self.requests = 0
        self._shape = SHAPES[shape]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Give one page of the messages of `[start, end)`."""
        self.requests += 1
        query = request.url.params
        start, end = (
            (datetime.fromisoformat(query[name]) - START).total_seconds()
            for name in ("start", "end")
        )
        found = range(bisect_left(self.seconds, start), bisect_left(self.seconds, end))
        first = int(query.get("cursor", 0))
        shown = found[first : first + int(query["per_page"])]
        following = str(first + len(shown)) if first + len(shown) < len(found) else None
        info = self._shape(following)
        return envelope([{"id": str(number)} for number in shown], per_page=SIZE, **info)

    def client(self, **options: Any) -> EmailSecurity:
        """Build a client of it."""
        return client(self.answer, **options)


async def read(api: EmailSecurity) -> list[str]:
    """Read the whole window."""
    found = pages(api.messages, start=START, end=END, per_page=SIZE)
    return [item.id async for page in found for item in page.items]


@pytest.mark.parametrize("shape", SHAPES)
@given(seconds=st.lists(st.integers(0, 899), unique=True, max_size=40))
@settings(max_examples=20, deadline=None)
async def test_every_message_is_read_once_whatever_names_the_next_page(
    shape: str, seconds: list[int]
) -> None:
    """Nothing is lost, nothing comes twice, and the number of requests is bounded."""
    server = Server(seconds, shape)
    found = await read(server.client())
    assert sorted(found, key=int) == [str(number) for number in range(len(seconds))]
    assert server.requests <= 4 + 40 * (len(seconds) // SIZE)


@pytest.mark.parametrize("method", ["phishguard_reports", "submissions"])
@pytest.mark.parametrize("shape", ["numbered", "one page", "smaller pages", "whole list"])
@given(seconds=st.lists(st.integers(0, 899), unique=True, max_size=40))
@settings(max_examples=10, deadline=None)
async def test_every_record_of_a_numbered_list_is_read_once(
    method: str, shape: str, seconds: list[int]
) -> None:
    """By its numbers, or in parts of its time if the server gives the same full page for each."""
    server = NumberedServer(seconds, shape)
    listing = getattr(server.client(), method)
    found = [
        item.record["at"]
        async for page in pages(listing, start=START, end=END, per_page=SIZE)
        for item in page.items
    ]
    assert sorted(found) == sorted(seconds)
    assert server.requests <= 4 + 40 * (len(seconds) // SIZE + 1)


class NumberedServer(Server):
    """Holds reports or submissions, each at a second of the window.

    It gives numbered pages; the first one whatever the number; pages of two without a word about
    their size; or all records in one page.
    """

    def __init__(self, seconds: list[int], shape: str) -> None:
        super().__init__(seconds, "none")
        self._numbers = shape

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Give one page of the records of `[start, end)`."""
        self.requests += 1
        query = request.url.params
        start, end = (
            (datetime.fromisoformat(query[name]) - START).total_seconds()
            for name in ("start", "end")
        )
        found = [second for second in self.seconds if start <= second < end]
        number, size = int(query["page"]), int(query["per_page"])
        if self._numbers == "one page":
            number = 1
        elif self._numbers == "smaller pages":
            size = 2
        elif self._numbers == "whole list":
            number, size = 1, max(len(found), 1)
        shown = found[(number - 1) * size : number * size]
        info: dict[str, Any] = {} if self._numbers == "smaller pages" else {"per_page": SIZE}
        names = ("id", "submission_id")
        return envelope([{**dict.fromkeys(names, str(one)), "at": one} for one in shown], **info)


async def test_a_short_page_needs_no_cursor() -> None:
    """It is the whole list, in one request."""
    server = Server([1, 2, 3], "none")
    assert (len(await read(server.client())), server.requests) == (3, 1)


async def test_a_full_page_that_says_it_is_the_last_is_believed() -> None:
    """The documented end of a list: `next` is null."""
    server = Server(list(range(SIZE)), "next")
    assert (len(await read(server.client())), server.requests) == (SIZE, 1)


async def test_the_split_is_reported() -> None:
    """Each division of a window is counted."""
    ledger = Ledger()
    await read(Server(list(range(0, 900, 90)), "none").client(observer=ledger))
    assert ("paging", "split") in ledger.rows
    assert ("paging", "unseen") not in ledger.rows


async def test_what_cannot_be_split_is_an_error_of_a_whole_list() -> None:
    """More messages in one second than a page has: the rest is read, and that second is named."""
    server, ledger = Server([1, 100, *[300] * (SIZE + 2), 800], "none"), Ledger()
    api = server.client(observer=ledger)
    seen: list[str] = []

    async def read_all() -> None:
        async for page in pages(api.messages, start=START, end=END, per_page=SIZE):
            seen.extend(item.id for item in page.items)

    with pytest.raises(UnreadableResponse, match="name no next page"):
        await read_all()
    assert {"0", "1", "9"} <= set(seen)
    assert ledger.rows.count(("paging", "unseen")) == 1


async def test_the_last_page_says_which_time_was_not_seen() -> None:
    """That time and no other."""
    api = Server([1, 100, *[300] * (SIZE + 2), 800], "none").client()
    page = await api.messages(start=START, end=END, per_page=SIZE)
    while page.next is not None:
        page = await api.messages(start=START, end=END, per_page=SIZE, cursor=page.next)
    (unseen,) = page.unseen
    bad = START + timedelta(seconds=300)
    assert unseen.start <= bad < unseen.end
    assert unseen.length <= timedelta(seconds=2)


async def test_a_server_that_ignores_the_window_is_given_up() -> None:
    """All that is left counts as not seen, after a bounded number of requests."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return envelope([{"id": str(number)} for number in range(SIZE)], per_page=SIZE)

    with pytest.raises(UnreadableResponse):
        await read(client(answer))
    assert len(asked) <= 30 + MOST_UNSEEN


async def test_full_pages_that_lead_in_a_circle_are_no_whole_list() -> None:
    """Cursors that lead back to what was read, while pages are full."""
    circle = {None: "a", "a": "b", "b": "a"}

    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor")
        found = [{"id": f"{cursor}{number}"} for number in range(SIZE)]
        return envelope(found, per_page=SIZE, next=circle[cursor])

    with pytest.raises(UnreadableResponse, match="lead back"):
        await read(client(answer))
