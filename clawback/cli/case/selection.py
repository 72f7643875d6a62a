"""Describes held cases that people decide together."""

from collections.abc import Iterator

from clawback.case_files.held_cases import MOST_TOGETHER
from clawback.cases.bulk import HeldSelection
from clawback.model.texts import plural

_SHOWN = 20


def describe_selection(selection: HeldSelection) -> Iterator[str]:
    """Describe it for whoever decides: how much it is, why it is held, and the first cases."""
    held = plural(len(selection.cases), "held case")
    yield f"{held} with {plural(selection.messages, 'message')}"
    if selection.is_cut:
        yield f"more are held: one decision takes {MOST_TOGETHER:,}, decide the rest after it"
    for action, count in selection.count_proposed():
        yield f"would {action}: {plural(count, 'case')}"
    for cause, count in selection.count_causes():
        yield f"held for {cause}: {plural(count, 'case')}"

    if moved := selection.moved_while_held:
        yield f"moved aside while held: {plural(moved, 'message')}, which a denial returns"

    for case in selection.cases[:_SHOWN]:
        yield f"  {case.id}  {plural(case.messages, 'message')} from {case.first.sender}"
    if len(selection.cases) > _SHOWN:
        yield f"  and {len(selection.cases) - _SHOWN:,} more"
    yield f"Digest {selection.digest}"
