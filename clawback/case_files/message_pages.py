"""Pages through the messages of a campaign, which may be in hundreds of parts.

A place is `<part>.<number>`: the part, and how many of its messages are before. Messages keep their
order in a part, and parts are only added, so a place stays what it was while a campaign grows.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from clawback.cases import CaseSnapshot, CaseStart
from clawback.model.messages import Target

MOST_PARTS: Final = 10
"""Parts that one request looks through; the next page goes on from there."""
_PLACE: Final = re.compile(r"(\d{1,4})\.(\d{1,6})")
PartReader = Callable[[str, int], Awaitable[CaseStart]]


class NoSuchPlace(ValueError):
    """A text is no place in the messages of a campaign."""


@dataclass(frozen=True)
class MessagePage:
    """Some messages with the memory of the part that has each, and the place after them."""

    found: tuple[tuple[Target, CaseSnapshot], ...]
    after: str = ""


async def read_messages(
    read_part: PartReader,
    case: CaseStart,
    after: str,
    size: int,
    fits: Callable[[Target], bool] = lambda _: True,
) -> MessagePage:
    """Read the messages after a place that fit; the first page has the place "".

    `case` is the first part. Of the others, only those that the page needs are read.

    Raises:
        NoSuchPlace: this is no place.
        QueryFailed, RPCError: a part does not answer.

    """
    part, number = _read_place(after)
    found: list[tuple[Target, CaseSnapshot]] = []
    numbers = [one for one in list_parts(case) if one >= part]
    for looked, current in enumerate(numbers):
        if looked >= MOST_PARTS:
            return MessagePage(tuple(found), f"{current}.0")
        memory = await read_memory(read_part, case, current)
        targets = list(memory.all_targets.values()) if memory else []
        start = number if current == part else 0
        for index, target in enumerate(targets[start:], start):
            if memory is not None and fits(target):
                if len(found) == size:
                    return MessagePage(tuple(found), f"{current}.{index}")
                found.append((target, memory))
    return MessagePage(tuple(found))


def list_parts(case: CaseStart) -> Sequence[int]:
    """Return the numbers of the parts of a campaign."""
    return [1, *sorted(case.snapshot.parts)] if case.snapshot is not None else [1]


async def read_memory(read_part: PartReader, case: CaseStart, number: int) -> CaseSnapshot | None:
    """Read what one part remembers.

    Raises:
        QueryFailed, RPCError: it does not answer.

    """
    if number == 1:
        return case.snapshot
    return (await read_part(case.plan.case_id, number)).snapshot


def _read_place(after: str) -> tuple[int, int]:
    if not after:
        return 1, 0
    if (place := _PLACE.fullmatch(after)) is None:
        raise NoSuchPlace(after)
    return int(place[1]), int(place[2])
