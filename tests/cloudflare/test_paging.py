"""Iterating a list: every record once on a sane server, and an end on any."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clawback.cloudflare import EmailSecurity, PagedBy, pages
from clawback.cloudflare.errors import UnreadableResponse
from tests.cloudflare.support import WINDOW, client, envelope

BOUND = 60


def bounded(
    answer: Callable[[httpx.QueryParams], httpx.Response],
) -> tuple[EmailSecurity, list[httpx.QueryParams]]:
    """Build a client whose server fails the test after too many requests."""
    asked: list[httpx.QueryParams] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        assert len(asked) <= BOUND, "paging does not end"
        return answer(request.url.params)

    return client(respond), asked


async def ids(api: EmailSecurity, method: str, **filters: Any) -> list[str]:
    listing = getattr(api, method)
    return [item.id async for page in pages(listing, **filters) for item in page.items]


def records(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": str(number)} for number in range(first, last)]


@given(total=st.integers(0, 40), size=st.integers(1, 12))
@settings(max_examples=40)
async def test_a_cursor_list_is_read_to_its_end(total: int, size: int) -> None:
    """Each record comes once, in one request per page."""

    def answer(query: httpx.QueryParams) -> httpx.Response:
        first = int(query.get("cursor", 0))
        following = str(first + size) if first + size < total else None
        return envelope(records(first, min(first + size, total)), next=following, per_page=size)

    api, asked = bounded(answer)
    assert await ids(api, "messages", **WINDOW, per_page=size) == [
        str(number) for number in range(total)
    ]
    assert len(asked) == max(-(-total // size), 1)


@given(total=st.integers(0, 40), size=st.integers(1, 12), cap=st.integers(1, 12))
@settings(max_examples=40)
async def test_a_counted_list_is_read_to_its_end_even_if_the_server_gives_less_than_asked(
    total: int, size: int, cap: int
) -> None:
    """A page that is full by the server's own size is not the last."""

    def answer(query: httpx.QueryParams) -> httpx.Response:
        used = min(int(query["per_page"]), cap)
        first = (int(query["page"]) - 1) * used
        return envelope(
            records(first, min(first + used, total)),
            page=int(query["page"]),
            per_page=used,
            total_count=99,
        )

    api, _ = bounded(answer)
    assert await ids(api, "block_senders", per_page=size) == [
        str(number) for number in range(total)
    ]


async def test_a_server_that_ignores_the_page_ends_the_list() -> None:
    """A page with more records than it was asked for is the list, and so is one that repeats."""
    api, asked = bounded(lambda _: envelope(records(0, 5)))
    for per_page, requests in ((4, 1), (6, 2)):
        asked.clear()
        found = await ids(api, "phishguard_reports", **WINDOW, per_page=per_page)
        assert found == ["0", "1", "2", "3", "4"]
        assert len(asked) == requests


async def test_a_full_page_that_repeats_is_not_taken_for_the_whole_list() -> None:
    """Unless the server counts no more: there may be any number of records behind it."""
    api, _ = bounded(lambda _: envelope(records(0, 5)))
    with pytest.raises(UnreadableResponse):
        await ids(api, "block_senders", per_page=5)
    with pytest.raises(UnreadableResponse):
        await ids(api, "phishguard_reports", **WINDOW, per_page=5)

    api, asked = bounded(lambda _: envelope(records(0, 5), per_page=5, total_count=5))
    assert await ids(api, "block_senders", per_page=5) == ["0", "1", "2", "3", "4"]
    assert len(asked) == 2


@given(total=st.integers(1, 30), size=st.integers(1, 9), gone=st.sets(st.integers(0, 29)))
@example(total=2, size=1, gone={0})
@settings(max_examples=40)
async def test_a_record_that_moves_to_a_page_read_before_is_found(
    total: int, size: int, gone: set[int]
) -> None:
    """Others are removed after the first page; all that stay are given, each once."""
    asked = 0

    def answer(query: httpx.QueryParams) -> httpx.Response:
        nonlocal asked
        asked += 1
        kept = [n for n in range(total) if asked == 1 or n not in gone]
        first = (int(query["page"]) - 1) * size
        shown = [{"id": str(n)} for n in kept[first : first + size]]
        return envelope(shown, per_page=size, total_count=len(kept))

    api, _ = bounded(answer)
    found = await ids(api, "block_senders", per_page=size)
    assert len(found) == len(set(found))
    assert {str(n) for n in range(total) if n not in gone} <= set(found)


async def test_a_server_that_ignores_the_page_with_records_that_cannot_be_used_ends_too() -> None:
    """Rejected records count as seen."""
    api, asked = bounded(lambda _: envelope([{"x": 1}, {"x": 2}]))
    assert await ids(api, "phishguard_reports", **WINDOW, per_page=3) == []
    assert len(asked) == 2


async def test_a_cursor_given_twice_ends_the_list() -> None:
    """A cycle of cursors is followed once."""
    circle = {None: "a", "a": "b", "b": "a"}
    api, asked = bounded(
        lambda query: envelope(
            [{"id": query.get("cursor", "start")}], next=circle[query.get("cursor")]
        )
    )
    assert await ids(api, "messages", **WINDOW) == ["start", "a", "b"]
    assert len(asked) == 3


async def test_a_list_that_never_ends_is_an_error() -> None:
    """New cursors and new records for ever: nobody takes a part for the whole."""

    def answer(query: httpx.QueryParams) -> httpx.Response:
        number = int(query.get("cursor", 0))
        return envelope(records(number, number + 1), next=str(number + 1))

    api, asked = bounded(answer)
    with pytest.raises(UnreadableResponse, match="the list goes on after 20 pages"):
        await ids(api, "messages", most=20, **WINDOW)
    assert len(asked) == 20


async def test_an_empty_page_with_a_cursor_is_not_the_end_but_many_are() -> None:
    """A search may return empty pages, but not forever."""
    gap = {None: ([], "1"), "1": ([], "2"), "2": (records(0, 1), None)}
    api, _ = bounded(
        lambda query: envelope(gap[query.get("cursor")][0], next=gap[query.get("cursor")][1])
    )
    assert await ids(api, "messages", **WINDOW) == ["0"]
    api, asked = bounded(lambda query: envelope([], next=str(int(query.get("cursor", 0)) + 1)))
    assert await ids(api, "messages", **WINDOW) == []
    assert len(asked) < 10


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abc"), max_size=3), st.sampled_from([None, "", "x", "y", "z"])
        ),
        min_size=1,
        max_size=6,
    )
)
async def test_no_server_can_keep_a_list_from_ending(
    script: list[tuple[list[str], str | None]],
) -> None:
    """Iteration ends on any pages and cursors and returns every record shown."""
    shown: set[str] = set()
    count = 0

    def answer(_: httpx.QueryParams) -> httpx.Response:
        nonlocal count
        found, following = script[count % len(script)]
        count += 1
        shown.update(found)
        return envelope([{"id": identity} for identity in found], next=following)

    api, _ = bounded(answer)
    assert set(await ids(api, "messages", **WINDOW)) == shown


async def test_a_page_says_how_to_ask_for_the_next() -> None:
    """A caller that pages itself gets the cursor or the number."""
    api, _ = bounded(lambda _: envelope(records(0, 2), next="c2", per_page=2))
    by_cursor, by_number = await api.messages(**WINDOW), await api.block_senders(per_page=2)
    assert (by_cursor.next, by_cursor.paged_by, by_cursor.next_page) == ("c2", PagedBy.CURSOR, None)
    assert (by_number.next, by_number.paged_by, by_number.next_page) == ("2", PagedBy.PAGE, 2)


@pytest.mark.parametrize(
    "info", [{"count": 2.0}, {"count": True}, {"count": "2"}, {"next": True}, {"next": ["x"]}]
)
async def test_a_strange_result_info_is_survived(info: dict[str, Any]) -> None:
    """Numbers may be floats; anything else counts as missing."""
    api, _ = bounded(lambda _: envelope(records(0, 2), **info))
    page = await api.messages(**WINDOW)
    assert page.next is None
    assert page.count == (2 if info == {"count": 2.0} else None)
