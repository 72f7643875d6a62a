"""Pages of records, and iteration over all of them. Pure except for awaiting the caller's function.

The API has two kinds of list (reference §1.1): `cursor`, where `result_info.next` names the next
page, and `page`, which is numbered. Other lists of Cloudflare name the cursor otherwise, and those
names are followed too. A server may ignore either parameter, so iteration also ends at a cursor
that was seen before, and when pages bring no new records. If those pages are full, the list is read
in parts of its time, where it has one (see `time_split`). A list that goes on all the same, or of
which something could not be read, is an error: what was read of it is not all.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from clawback.cloudflare.errors import UnreadableResponse
from clawback.cloudflare.steady_reads import read_steadily
from clawback.cloudflare.wire_model import InvalidRecord, WireModel
from clawback.model.time_ranges import TimeRanges

R = TypeVar("R", bound=WireModel)

OWN_CURSOR = "clawback:"
"""How the cursors begin that clawback makes for servers without any (see `time_split`)."""
MOST_ROUNDS = 3
"""How often a numbered list is read that loses records: others move to pages read before."""
MOST_PAGES = 1_000
"""Pages of one list, a million records: nothing that clawback waits for is longer."""


class PagedBy(StrEnum):
    """The parameter that requests the next page."""

    CURSOR = "cursor"
    PAGE = "page"


# Pages without new records that are tolerated: a search may return an empty page and continue.
_MAX_BARREN = {PagedBy.CURSOR: 5, PagedBy.PAGE: 0}
_CURSOR_NAMES = (
    "next",
    "next_cursor",
    "cursors.after",
    "cursors.next",
    "cursor",
    "after",
    "next_page_token",
    "links.next",
)
"""Where `result_info` may name the next page; the API documents the first (reference §1.1)."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that could not be parsed, as received, and the reason."""

    raw: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a list.

    `next` is a cursor or the number of the next page as text; None at the end of the list. `count`
    and `total` are the server's and not reliable: `total_count` ignores filters, or is always 0.
    `is_full` says that there was no room for more records, `is_last` that the server says that
    this is the end. `unseen`, on the last page of a search, is the time that could not be read.
    `divided` is the cursor that reads a numbered list in parts of its time; None if it has none.
    """

    items: tuple[R, ...]
    rejected: tuple[RejectedRecord, ...] = ()
    next: str | None = None
    paged_by: PagedBy = PagedBy.CURSOR
    count: int | None = None
    total: int | None = None
    is_full: bool = False
    is_last: bool = False
    unseen: TimeRanges = ()
    divided: str | None = None

    @property
    def next_page(self) -> int | None:
        """The number of the next page of a numbered list."""
        return int(self.next) if self.next is not None and self.paged_by is PagedBy.PAGE else None


def parse_records(
    record_type: type[R], result: Any
) -> tuple[tuple[R, ...], tuple[RejectedRecord, ...]]:
    """Parse the records of a list; null counts as an empty list.

    Raises:
        InvalidRecord: it is not a list.

    """
    if result is None:
        return (), ()
    if not isinstance(result, list):
        raise InvalidRecord("the result is not a list")

    items, rejected = [], []
    for raw in result:
        try:
            items.append(record_type.parse(raw))
        except InvalidRecord as error:
            rejected.append(RejectedRecord(raw, str(error)))

    return tuple(items), tuple(rejected)


def parse_cursor_page(
    record_type: type[R], result: Any, info: Mapping[str, Any], per_page: int
) -> Page[R]:
    """Build a page of a cursor list from its envelope."""
    items, rejected = parse_records(record_type, result)
    used_size = _integer(info, "per_page") or per_page
    named = [value for name in _CURSOR_NAMES for value in _values_at(info, name)]
    cursors = [cursor for value in named if (cursor := _read_cursor(value)) is not None]

    return Page(
        items,
        rejected,
        next=cursors[0] if cursors else None,
        paged_by=PagedBy.CURSOR,
        count=_integer(info, "count"),
        total=_integer(info, "total_count"),
        is_full=0 < min(used_size, per_page) <= len(items) + len(rejected),
        # Named, and null or empty: the documented end of a list.
        is_last=bool(named) and not cursors,
    )


def _values_at(info: Mapping[str, Any], name: str) -> list[Any]:
    """Return the value at a dotted name; none if there is no such name."""
    value: Any = info
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return []
        value = value[part]
    return [value]


def _read_cursor(value: Any) -> str | None:
    """Read a cursor: a text, a number, or a URL with a parameter that holds it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        return None
    if not value.startswith(("http://", "https://", "/", "?")):
        return value

    found = parse_qs(urlsplit(value).query)
    return next((found[name][0] for name in ("cursor", "after", "next") if name in found), value)


def parse_counted_page(
    record_type: type[R], result: Any, info: Mapping[str, Any], page: int, per_page: int
) -> Page[R]:
    """Build a page of a numbered list.

    A full page may have a successor, and so may any page of a server that does not say which size
    it used: it may be smaller than requested. One with more records than requested is all there is.
    """
    items, rejected = parse_records(record_type, result)
    # Not `total_count`: it ignores filters on one kind of list and is 0 on the other (§1.1).
    used_size = _integer(info, "per_page")
    records = len(items) + len(rejected)
    is_full = min(used_size or per_page, per_page) <= records <= per_page and records > 0
    may_go_on = is_full or (used_size is None and 0 < records < per_page)

    return Page(
        items,
        rejected,
        str(page + 1) if may_go_on else None,
        PagedBy.PAGE,
        _integer(info, "count"),
        _integer(info, "total_count"),
        is_full=is_full,
    )


async def pages(
    listing: Callable[..., Awaitable[Page[R]]], *, most: int | None = MOST_PAGES, **filters: Any
) -> AsyncIterator[Page[R]]:
    """Read a whole list, page by page, each record once.

    `listing` is any list method of the client, `filters` its parameters. `most` bounds the pages;
    None where a person waits for a long history, and sees that it goes on. A page after the first
    that fails in passing is asked for again (see `steady_reads`).

    Raises:
        UnreadableResponse: the list goes on after `most` pages, or not all of it can be read.

    """
    seen: set[int] = set()
    for _ in range(MOST_ROUNDS):
        totals: list[int] = []
        async for page, has_news in _pages_once(listing, seen, most, filters):
            if page.paged_by is PagedBy.PAGE and page.total is not None:
                totals.append(page.total)
            if has_news:
                yield page
        if not totals or totals[-1] >= max(totals):
            return


async def _pages_once(
    listing: Callable[..., Awaitable[Page[R]]],
    seen: set[int],
    most: int | None,
    filters: Mapping[str, Any],
) -> AsyncIterator[tuple[Page[R], bool]]:
    """Read a list once; give the records that were not `seen`, and note them.

    With each page comes whether it says anything new: an empty first page does, because it says
    that the list is empty.
    """

    async def read_next(place: Mapping[str, Any]) -> Page[R]:
        return await read_steadily(partial(listing, **{**filters, **place}))

    requested: set[str] = set()
    barren = 0
    page = await listing(**filters)

    while True:
        page, new = _leave_out(page, seen)
        seen |= new
        barren = 0 if new else barren + 1
        yield page, bool(new) or not requested
        if page.unseen:
            raise UnreadableResponse("paging", "full pages of one second name no next page")
        if (following := page.next) is None:
            return
        # A plan of ours has an end, also where its parts bring what was read before.
        is_planned = following.startswith(OWN_CURSOR)
        is_barren = barren > _MAX_BARREN[page.paged_by] and not is_planned
        if following in requested or is_barren:
            if not page.is_full or _is_whole(page, seen):
                return
            if page.divided is None:
                raise UnreadableResponse("paging", "full pages lead back to what was read")
            page = await read_next({PagedBy.CURSOR: page.divided})
            continue

        requested.add(following)
        if most is not None and len(requested) >= most:
            raise UnreadableResponse("paging", f"the list goes on after {most:,} pages")
        page = await read_next({page.paged_by: page.next_page or following})


def _is_whole(page: Page[Any], seen: set[int]) -> bool:
    """Whether a numbered list has no more records than were seen, by the server's own count."""
    return page.paged_by is PagedBy.PAGE and page.total is not None and 0 < page.total <= len(seen)


def _leave_out(page: Page[R], seen: set[int]) -> tuple[Page[R], set[int]]:
    """Leave out the records that were seen, and return the hashes of the others.

    Hashes alone, so that long lists stay small.
    """
    fresh: dict[int, R] = {}
    for item in page.items:
        key = hash(_key(item))
        if key not in seen:
            fresh.setdefault(key, item)

    new = fresh.keys() | {hash(repr(one.raw)) for one in page.rejected} - seen
    if len(fresh) < len(page.items):
        page = replace(page, items=tuple(fresh.values()))
    return page, new


def _key(item: WireModel) -> str:
    for field in ("id", "submission_id", "job_id", "message_id"):
        if isinstance(identity := getattr(item, field, None), str):
            return identity
    return repr(item.record)


def _integer(info: Mapping[str, Any], name: str) -> int | None:
    value = info.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
