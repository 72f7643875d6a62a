"""Finds exactly the messages that a decision was about: the case remembers what it proposed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clawback.case_files.case_file import CaseFile
from clawback.cases import Case, CaseStart, Decision
from clawback.console.sources.message_pages import PartReader
from clawback.model.messages import Target

MOST_PARTS: Final = 20
"""Parts of a campaign that are read for one receipt."""


@dataclass(frozen=True)
class DecidedMessages:
    """The messages of a decision by id; None for what a case no longer knows.

    Unless the list `is_exact`, it has what the case knows now. `left_out` counts parts of a large
    campaign that were not read.
    """

    found: dict[str, Target | None]
    is_exact: bool
    left_out: int = 0


async def read_decided(reader: PartReader, file: CaseFile, decision: Decision) -> DecidedMessages:
    """Read the messages of the last decision about a case, with all its parts.

    Raises what `PartReader.read_part` raises.
    """
    memory = file.case.snapshot
    numbers = sorted(memory.parts) if memory else []
    case_id, read = file.plan.case_id, numbers[: MOST_PARTS - 1]
    others = [(number, await reader.read_part(case_id, number)) for number in read]
    parts = [(1, file.case), *others]

    found: dict[str, Target | None] = {}
    is_exact = True
    for number, part in parts:
        own = part.snapshot.decision if part.snapshot else None
        if own is None or not _is_same(own, decision):
            continue
        known = list(_proposed(part, number, own.digest))
        is_exact = is_exact and bool(known)
        every = part.snapshot.all_targets if part.snapshot else {}
        found |= {id_: every.get(id_) for id_ in known or every}
    return DecidedMessages(found, is_exact, len(numbers) + 1 - len(parts))


def _is_same(one: Decision, other: Decision) -> bool:
    """Whether parts of a campaign were decided by one form."""
    return (one.approved, one.actor.identity.person, one.reason) == (
        other.approved,
        other.actor.identity.person,
        other.reason,
    )


def _proposed(part: CaseStart, number: int, digest: str) -> Iterator[str]:
    """Yield what a case proposed under a digest, if it can prove that by the same digest."""
    if part.snapshot is None:
        return
    past = Case(part.plan, part.timing, part.snapshot, number).proposed_under(digest)
    if past is not None and past.digest == digest:
        yield from past.messages
