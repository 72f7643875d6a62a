"""Pages of records, and reading on until there are no more.

Pure apart from awaiting the caller's own function.

Two kinds of list exist (reference §1.1): `cursor`, where `result_info.next` names the next page,
and `page`, which is counted. A server may ignore either; reading ends all the same: on a cursor it
has given before, and where pages stop bringing new records.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from clawback.cloudflare.wire import Unreadable, Wire

R = TypeVar("R", bound=Wire)


class PagedBy(StrEnum):
    """The name of the parameter that asks for the next page."""

    CURSOR = "cursor"
    PAGE = "page"


# A search may give an empty page and go on; a counted list may not.
_BARREN = {PagedBy.CURSOR: 5, PagedBy.PAGE: 0}


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that could not be used: as it came, and why."""

    raw: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page.

    `next` is what to ask for next: a cursor, or the number of a page as text; None where the list
    ends here.

    `count` and `total` are the server's words, not to be trusted: `total_count` is not the filtered
    count, or always 0.
    """

    items: tuple[R, ...]
    rejected: tuple[RejectedRecord, ...] = ()
    next: str | None = None
    paged_by: PagedBy = PagedBy.CURSOR
    count: int | None = None
    total: int | None = None

    @property
    def next_page(self) -> int | None:
        """The number of the next page of a counted list."""
        return int(self.next) if self.next is not None and self.paged_by is PagedBy.PAGE else None


def read_items(kind: type[R], result: Any) -> tuple[tuple[R, ...], tuple[RejectedRecord, ...]]:
    """Read the records of a list; null is an empty one.

    Raises:
        Unreadable: it is not a list.

    """
    if result is None:
        return (), ()
    if not isinstance(result, list):
        raise Unreadable("the result is not a list")
    items, rejected = [], []
    for raw in result:
        try:
            items.append(kind.read(raw))
        except Unreadable as error:
            rejected.append(RejectedRecord(raw, str(error)))
    return tuple(items), tuple(rejected)


def cursor_page(kind: type[R], result: Any, info: Mapping[str, Any]) -> Page[R]:
    """Build a page of a cursor list from its envelope."""
    items, rejected = read_items(kind, result)
    cursor = info.get("next")
    following = cursor if isinstance(cursor, str) and cursor else None
    return Page(
        items,
        rejected,
        following,
        PagedBy.CURSOR,
        _whole(info, "count"),
        _whole(info, "total_count"),
    )


def counted_page(
    kind: type[R], result: Any, info: Mapping[str, Any], page: int, per_page: int
) -> Page[R]:
    """Build a page of a counted list.

    A full page may have a successor, measured by the size the server says it used.
    """
    items, rejected = read_items(kind, result)
    size = _whole(info, "per_page") or per_page
    records = len(items) + len(rejected)
    following = str(page + 1) if records and records >= min(size, per_page) else None
    return Page(
        items, rejected, following, PagedBy.PAGE, _whole(info, "count"), _whole(info, "total_count")
    )


async def pages(
    listing: Callable[..., Awaitable[Page[R]]], **filters: Any
) -> AsyncIterator[Page[R]]:
    """Read a whole list, page by page.

    `listing` is any list method of the client, `filters` its parameters. Always ends.
    """
    seen: set[int] = set()
    asked: set[str] = set()
    barren = 0
    page = await listing(**filters)
    while True:
        fresh = _keys(page) - seen
        seen |= fresh
        barren = 0 if fresh else barren + 1
        if fresh or not asked:
            yield page
        if page.next is None or page.next in asked or barren > _BARREN[page.paged_by]:
            return
        asked.add(page.next)
        page = await listing(**{**filters, page.paged_by: page.next_page or page.next})


def _keys(page: Page[Any]) -> set[int]:
    return {hash(_key(item)) for item in page.items} | {
        hash(repr(rejected.raw)) for rejected in page.rejected
    }


def _key(item: Wire) -> str:
    for field in ("id", "submission_id", "job_id", "message_id"):
        if isinstance(identity := getattr(item, field, None), str):
            return identity
    return repr(item.record)


def _whole(info: Mapping[str, Any], name: str) -> int | None:
    value = info.get(name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
