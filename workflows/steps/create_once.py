"""How something is made once on a list that has no unique keys.

Looked for before and after every attempt, known by our mark.
"""

from collections.abc import Callable
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.containment import FoundEntry
    from clawback.cases import ALREADY_THERE, UNKNOWN, failed
    from workflows.steps.attempts import Answered, Effort, Impossible, verify


@dataclass(frozen=True)
class Created:
    """An entry of ours that stands."""

    id: str


async def create_once(
    find: Callable[..., object],
    create: Callable[..., object],
    wanted: object,
    is_off: Callable[[], bool],
) -> Created | str:
    """Make an entry unless it stands.

    Gives ours, or the outcome where none is ours: what stands already is left as it is.
    """
    effort = Effort(is_off)
    while effort.goes_on:
        found = await verify(find, wanted)
        if not isinstance(found, FoundEntry):
            return UNKNOWN
        if found.id or found.refused:
            return _judged(found)
        match await effort.make(create, wanted):
            case Answered(FoundEntry() as made):
                return _judged(made)
            case Impossible(why):
                return failed(why)
    return effort.given_up()


def _judged(found: FoundEntry) -> Created | str:
    if found.refused:
        return failed(found.refused)
    return Created(found.id) if found.id is not None and found.mine else ALREADY_THERE
