"""Pages through the messages of a campaign, which may be in hundreds of parts.

A place is `<part>.<number>`: the part, and how many of its messages are before. Messages keep their
order in a part, and parts are only added, so a place stays what it was while a campaign grows.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from clawback.case_files.case_file import CaseFile
from clawback.cases import CaseSnapshot
from clawback.console.errors import BadRequest
from clawback.console.sources.open_cases import OpenCases
from clawback.console.views.message_rows import PAGE_SIZE
from clawback.model.messages import Target

MOST_PARTS: Final = 10
"""Parts that one request looks through; the next page goes on from there."""
_PLACE: Final = re.compile(r"(\d{1,4})\.(\d{1,6})")


@dataclass(frozen=True)
class MessagePage:
    """Some messages with the memory of the part that has each, and the place after them."""

    found: tuple[tuple[Target, CaseSnapshot], ...]
    after: str = ""


async def read_page(
    open_cases: OpenCases, file: CaseFile, after: str, fits: Callable[[Target], bool]
) -> MessagePage:
    """Read the messages after a place that fit; the first page has the place "".

    Raises:
        BadRequest: this is no place.
        QueryFailed, RPCError: a part does not answer.

    """
    part, number = _read_place(after)
    found: list[tuple[Target, CaseSnapshot]] = []
    numbers = [one for one in _parts(file) if one >= part]
    for looked, current in enumerate(numbers):
        if looked >= MOST_PARTS:
            return MessagePage(tuple(found), f"{current}.0")
        memory = await _memory(open_cases, file, current)
        targets = list(memory.all_targets.values()) if memory else []
        start = number if current == part else 0
        for index, target in enumerate(targets[start:], start):
            if memory is not None and fits(target):
                if len(found) == PAGE_SIZE:
                    return MessagePage(tuple(found), f"{current}.{index}")
                found.append((target, memory))
    return MessagePage(tuple(found))


async def find_message(
    open_cases: OpenCases, file: CaseFile, id_: str
) -> tuple[Target, CaseSnapshot] | None:
    """Find one message of a campaign by its investigate id; None if it has none of it."""
    for number in _parts(file):
        memory = await _memory(open_cases, file, number)
        if memory is not None and (target := memory.target(id_)) is not None:
            return target, memory
    return None


def _parts(file: CaseFile) -> Sequence[int]:
    memory = file.case.snapshot
    return [1, *sorted(memory.parts)] if memory is not None else [1]


async def _memory(open_cases: OpenCases, file: CaseFile, number: int) -> CaseSnapshot | None:
    if number == 1:
        return file.case.snapshot
    return (await open_cases.read_part(file.plan.case_id, number)).snapshot


def _read_place(after: str) -> tuple[int, int]:
    if not after:
        return 1, 0
    if (place := _PLACE.fullmatch(after)) is None:
        raise BadRequest("after: this is no place in the messages; start at their first page")
    return int(place[1]), int(place[2])
