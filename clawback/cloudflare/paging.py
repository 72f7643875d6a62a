"""Pages of records, and iteration over all of them. Pure except for awaiting the caller's function.

The API has two kinds of list (reference §1.1): `cursor`, where `result_info.next` names the next
page, and `page`, which is numbered. A server may ignore either, so iteration also ends at a cursor
that was seen before, and when pages bring no new records. A list that goes on all the same is an
error: what was read of it is not all.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from clawback.cloudflare.errors import UnreadableResponse
from clawback.cloudflare.wire_model import InvalidRecord, WireModel

R = TypeVar("R", bound=WireModel)

MOST_PAGES = 1_000
"""Pages of one list, a million records: nothing that clawback waits for is longer."""


class PagedBy(StrEnum):
    """The parameter that requests the next page."""

    CURSOR = "cursor"
    PAGE = "page"


# Pages without new records that are tolerated: a search may return an empty page and continue.
_MAX_BARREN = {PagedBy.CURSOR: 5, PagedBy.PAGE: 0}


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
    """

    items: tuple[R, ...]
    rejected: tuple[RejectedRecord, ...] = ()
    next: str | None = None
    paged_by: PagedBy = PagedBy.CURSOR
    count: int | None = None
    total: int | None = None

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


def parse_cursor_page(record_type: type[R], result: Any, info: Mapping[str, Any]) -> Page[R]:
    """Build a page of a cursor list from its envelope."""
    items, rejected = parse_records(record_type, result)
    cursor = info.get("next")
    return Page(
        items,
        rejected,
        cursor if isinstance(cursor, str) and cursor else None,
        PagedBy.CURSOR,
        _integer(info, "count"),
        _integer(info, "total_count"),
    )


def parse_counted_page(
    record_type: type[R], result: Any, info: Mapping[str, Any], page: int, per_page: int
) -> Page[R]:
    """Build a page of a numbered list.

    A full page may have a successor. The server may have used a smaller page size than requested.
    """
    items, rejected = parse_records(record_type, result)
    # Not `total_count`: it ignores filters on one kind of list and is 0 on the other (§1.1).
    used_size = _integer(info, "per_page") or per_page
    records = len(items) + len(rejected)
    is_full = records > 0 and records >= min(used_size, per_page)

    return Page(
        items,
        rejected,
        str(page + 1) if is_full else None,
        PagedBy.PAGE,
        _integer(info, "count"),
        _integer(info, "total_count"),
    )


async def pages(
    listing: Callable[..., Awaitable[Page[R]]], *, most: int | None = MOST_PAGES, **filters: Any
) -> AsyncIterator[Page[R]]:
    """Read a whole list, page by page.

    `listing` is any list method of the client, `filters` its parameters. `most` bounds the pages;
    None where a person waits for a long history, and sees that it goes on.

    Raises:
        UnreadableResponse: the list goes on after `most` pages.

    """
    seen: set[int] = set()
    requested: set[str] = set()
    barren = 0
    page = await listing(**filters)

    while True:
        new = _keys(page) - seen
        seen |= new
        barren = 0 if new else barren + 1
        # An empty first page is a page: it says that the list is empty.
        if new or not requested:
            yield page
        if page.next is None or page.next in requested or barren > _MAX_BARREN[page.paged_by]:
            return

        requested.add(page.next)
        if most is not None and len(requested) >= most:
            raise UnreadableResponse("paging", f"the list goes on after {most:,} pages")
        page = await listing(**{**filters, page.paged_by: page.next_page or page.next})


def _keys(page: Page[Any]) -> set[int]:
    """Hash what identifies each record: hashes alone, so that long lists stay small."""
    return {hash(_key(item)) for item in page.items} | {
        hash(repr(rejected.raw)) for rejected in page.rejected
    }


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
