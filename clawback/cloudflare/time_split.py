"""Reads a list whose server gives full pages and no way to the next: its time is divided.

A full page without a cursor may be all there is, or not. The window is halved until each part has a
page that is not full. What is left to read travels in the cursor of the page, so every caller of a
search reads all of it, as it would with cursors of the server. What cannot be divided is reported.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from clawback.cloudflare.paging import OWN_CURSOR, Page, PagedBy
from clawback.cloudflare.wire_model import WireModel
from clawback.model.time_ranges import TimeRange, TimeRanges, add_range

R = TypeVar("R", bound=WireModel)
Fetch = Callable[[TimeRange, str | None], Awaitable[Page[R]]]
"""Reads one page of a window: the first one, or that of a cursor of the server."""
Report = Callable[[str], None]
"""Is told `split` or `unseen`, each time."""

SHORTEST = timedelta(seconds=1)
"""A window of this length is not divided: the API may compare whole seconds."""
MOST_UNSEEN = 5
"""Windows in a row that cannot be divided. A server that ignores the window goes on for ever."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What is left of a search: `cursor` is the server's, in the first of the windows.

    `unseen` is what cannot be read whole, `stuck` how many windows in a row that was.
    """

    windows: tuple[TimeRange, ...]
    cursor: str | None = None
    unseen: TimeRanges = ()
    stuck: int = 0
    is_split: bool = True

    @classmethod
    def read(cls, start: datetime, end: datetime, cursor: str | None) -> "SearchPlan":
        """Read the cursor of a search: one of ours, one of the server's, or none.

        Raises:
            ValueError: it looks like one of ours, and is none.

        """
        if cursor is None or not cursor.startswith(OWN_CURSOR):
            return cls((TimeRange(start=start, end=end),), cursor, is_split=False)
        try:
            found = json.loads(cursor.removeprefix(OWN_CURSOR))
            windows, unseen = (
                tuple(map(_read_range, found[name])) for name in ("windows", "unseen")
            )
            return cls(windows, found["cursor"], unseen, int(found["stuck"]))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError("the cursor looks like one of clawback, and is none") from error

    def write(self) -> str:
        """Write it as a cursor."""
        document = {
            "windows": [*map(_write_range, self.windows)],
            "cursor": self.cursor,
            "unseen": [*map(_write_range, self.unseen)],
            "stuck": self.stuck,
        }
        return OWN_CURSOR + json.dumps(document, separators=(",", ":"))

    def split(self) -> "SearchPlan | None":
        """Halve the first window, at a whole second; None if it is too short."""
        window, *rest = self.windows
        middle = (window.start + window.length / 2).replace(microsecond=0)
        if window.length <= SHORTEST or not window.start < middle < window.end:
            return None

        halves = (
            TimeRange(start=window.start, end=middle),
            TimeRange(start=middle, end=window.end),
        )
        return replace(self, windows=(*halves, *rest), cursor=None, is_split=True)

    def give_up(self) -> "SearchPlan":
        """Note that the first window cannot be read whole; after too many, that no other can."""
        stuck = self.stuck + 1
        lost = self.windows if stuck >= MOST_UNSEEN else self.windows[:1]
        unseen = self.unseen
        for window in lost:
            unseen = add_range(unseen, window)
        return replace(
            self, windows=self.windows[len(lost) :], cursor=None, unseen=unseen, stuck=stuck
        )

    def finish_window(self) -> "SearchPlan":
        """Go on with the window after the first."""
        return replace(self, windows=self.windows[1:], cursor=None, stuck=0)


async def read_in_windows(plan: SearchPlan, fetch: Fetch[R], report: Report) -> Page[R]:
    """Read the next page of a search, and divide its window as long as it is full without a cursor.

    Parts without records are passed over, so that a page is empty only at the end.
    """
    while True:
        page = await fetch(plan.windows[0], plan.cursor)
        if _is_cut_off(page, plan.cursor):
            if (halves := plan.split()) is not None:
                report("split")
                plan = halves
                continue
            report("unseen")
            following = plan.give_up()
        elif page.next is not None and page.next != plan.cursor:
            is_plain = not plan.is_split
            return page if is_plain else replace(page, next=replace(plan, cursor=page.next).write())
        else:
            following = plan.finish_window()

        if not following.windows:
            return replace(page, next=None, unseen=following.unseen)
        if page.items or page.rejected:
            return replace(page, next=following.write())
        plan = following


async def read_numbered(
    window: TimeRange,
    fetch: Callable[[TimeRange, int], Awaitable[Page[R]]],
    page: int,
    cursor: str | None,
    report: Report,
) -> Page[R]:
    """Read a page of a numbered list, or with a cursor of ours the next part of its time.

    Of a part only the first page is read: whoever divides a list does not trust the numbers.

    Raises:
        ValueError: the cursor is none of ours.

    """
    if cursor is None:
        found = await fetch(window, page)
        return replace(found, divided=split_cursor(window.start, window.end))
    if not cursor.startswith(OWN_CURSOR):
        raise ValueError("a numbered list takes no cursor of the server")

    async def fetch_part(part: TimeRange, _: str | None) -> Page[R]:
        return replace(await fetch(part, 1), next=None, paged_by=PagedBy.CURSOR)

    return await read_in_windows(
        SearchPlan.read(window.start, window.end, cursor), fetch_part, report
    )


def split_cursor(start: datetime, end: datetime) -> str | None:
    """Return the cursor that reads a window in two halves; None if it is too short."""
    halves = SearchPlan((TimeRange(start=start, end=end),)).split()
    return None if halves is None else halves.write()


def _is_cut_off(page: Page[Any], cursor: str | None) -> bool:
    """Whether a full page names no way to the next, or leads back to itself."""
    is_lost = page.next is None and not page.is_last
    return page.is_full and (is_lost or (page.next is not None and page.next == cursor))


def _read_range(times: list[float]) -> TimeRange:
    start, end = (
        datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(one)) for one in times
    )
    return TimeRange(start=start, end=end)


def _write_range(window: TimeRange) -> list[int]:
    epoch = datetime.fromtimestamp(0, UTC)
    return [(one - epoch) // timedelta(microseconds=1) for one in (window.start, window.end)]
