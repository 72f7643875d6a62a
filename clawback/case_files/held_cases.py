"""Reads held cases that people decide together, from the index of the server."""

from collections.abc import Iterable, Sequence

from clawback.cases import CaseState
from clawback.cases.bulk import HeldCase, HeldSelection
from clawback.cases.hold_cause import HoldCause
from clawback.cases.summary import CaseSummary
from clawback.temporal import names
from clawback.temporal.case_entries import CaseLine
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter
from clawback.temporal.fan_out import gather_limited

MOST_TOGETHER = 5_000
"""Cases, or parts of large campaigns, in one decision. Each takes an update."""
_UNKNOWN = "unknown"


async def read_held_of_rule(
    cases: CaseGateway, rule: str, cause: HoldCause | None
) -> HeldSelection:
    """Read the held cases of a rule, the oldest first; all causes if none is given.

    What cannot be read is left out, and is decided alone.

    Raises:
        RPCError: the server does not answer.

    """
    found = await cases.find_held(CaseFilter(rule=rule), MOST_TOGETHER)
    return select_held(found, cause, is_cut=len(found) == MOST_TOGETHER)


async def read_held_named(cases: CaseGateway, ids: Iterable[str]) -> HeldSelection:
    """Read named cases, by their full ids; those that are not held are told with their state.

    Raises:
        RPCError: the server does not answer.

    """
    named = list(dict.fromkeys(ids))

    async def read(case_id: str) -> HeldCase | str:
        found = await cases.find_held(CaseFilter(case=case_id), MOST_TOGETHER)
        if held := select_held(found).cases:
            return held[0]
        lines = await cases.find(CaseFilter(case=case_id), 1)
        return lines[0].shown_state if lines else _UNKNOWN

    read_each = zip(named, await gather_limited(read, named), strict=True)
    answers = dict(read_each)
    return HeldSelection(
        tuple(one for one in answers.values() if isinstance(one, HeldCase)),
        not_held={id_: one for id_, one in answers.items() if isinstance(one, str)},
    )


def select_held(
    found: Sequence[CaseLine], cause: HoldCause | None = None, *, is_cut: bool = False
) -> HeldSelection:
    """Take the held cases out of lines of the index, those of one cause if it is given."""
    parts: dict[str, dict[str, CaseSummary]] = {}
    for line in found:
        summary = line.summary
        if line.state != CaseState.HELD or summary is None or not summary.digest:
            continue
        if cause in {None, summary.hold_cause}:
            case, _ = names.case_and_part(line.id)
            parts.setdefault(case, {})[line.id] = summary
    return HeldSelection(tuple(HeldCase(*one) for one in parts.items()), is_cut=is_cut)
