"""The messages of a campaign for its pages, from the files that all who look share."""

from collections.abc import Callable
from typing import Protocol

from clawback.case_files.case_file import CaseFile
from clawback.case_files.message_pages import (
    MessagePage,
    NoSuchPlace,
    list_parts,
    read_memory,
    read_messages,
)
from clawback.cases import CaseSnapshot, CaseStart
from clawback.console.errors import BadRequest
from clawback.console.views.message_rows import PAGE_SIZE
from clawback.model.messages import Target


class PartReader(Protocol):
    """Reads further parts of campaigns: `OpenCases` does."""

    async def read_part(self, case_id: str, number: int) -> CaseStart:
        """Read one part."""


async def read_page(
    parts: PartReader, file: CaseFile, after: str, fits: Callable[[Target], bool]
) -> MessagePage:
    """Read the messages after a place that fit; the first page has the place "".

    Raises:
        BadRequest: this is no place.
        QueryFailed, RPCError: a part does not answer.

    """
    try:
        return await read_messages(parts.read_part, file.case, after, PAGE_SIZE, fits)
    except NoSuchPlace:
        text = "after: this is no place in the messages; start at their first page"
        raise BadRequest(text) from None


async def find_message(
    parts: PartReader, file: CaseFile, id_: str
) -> tuple[Target, CaseSnapshot] | None:
    """Find one message of a campaign by its investigate id; None if it has none of it."""
    for number in list_parts(file.case):
        memory = await read_memory(parts.read_part, file.case, number)
        if memory is not None and (target := memory.target(id_)) is not None:
            return target, memory
    return None
