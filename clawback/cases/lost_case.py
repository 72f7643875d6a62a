"""Takes over a campaign whose first case somebody ended on the server while its parts are open.

The next match opens the case anew. Without what the lost one knew, it would not know which part has
which message, and act on messages a second time.
"""

from pydantic import Field

from clawback.actions.outcomes import UNKNOWN
from clawback.cases.state import CaseSnapshot, CaseState
from clawback.model.payload import Payload


class LostCase(Payload):
    """What is known of the case before this one; nothing if it ended by itself, or has no parts.

    `why` says why it cannot be read. `parts` are the states of its parts now.
    """

    snapshot: CaseSnapshot | None = None
    why: str = ""
    parts: dict[int, CaseState] = Field(default_factory=dict)


def take_over(new: CaseSnapshot, lost: CaseSnapshot, lost_case: LostCase) -> CaseSnapshot:
    """Continue a lost case as a new one: nothing that it did, or may have done, is done again.

    What it changed stays its own, also for undo; so does what the new one has done already, whose
    matches are to be added again.
    """
    outcomes = [dict(one) for one in lost.outcomes]
    for step in lost.in_progress:
        if step.index < len(outcomes):
            outcomes[step.index].update(dict.fromkeys(step.subjects, UNKNOWN))
    for known, done in zip(outcomes, new.outcomes, strict=False):
        known.update(done)

    states = {number: lost_case.parts.get(number, CaseState.CLOSED) for number in lost.parts}
    return lost.model_copy(
        update={
            "uid": new.uid,
            "opened_at": new.opened_at,
            "last_match_at": new.last_match_at,
            "runs": new.runs,
            "pending_records": new.pending_records,
            "timeline": new.timeline,
            "notifications": new.notifications,
            "outcomes": tuple(outcomes),
            "applied": new.applied,
            "in_progress": new.in_progress,
            "spent": lost.spent + new.spent,
            "parts": {**states, **lost_case.parts},
            "orders": {**lost.orders, **new.orders},
        }
    )
