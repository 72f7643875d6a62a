"""What a request of a case rests on, and what can be said against it when it leaves.

A case may be open for weeks. What was true when its messages matched is asked again right before
each request: first with the reservation, then by the activity that sends it (ADR 37).
"""

from clawback.cases.hold_cause import HoldCause
from clawback.model.mode import Mode
from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class Authority(Payload):
    """The rule of a case as the case knows it.

    `actions_version` is the hash of its actions, `condition_versions` those of the conditions under
    which the messages matched (see `CasePlan`), `oldest` when the oldest message was scanned.
    `approved` says that people have approved exactly this, `while_held` that it happens while they
    are asked about the rest.
    """

    rule: str
    mode: Mode
    actions_version: str
    condition_versions: tuple[str, ...] = ()
    oldest: UtcDatetime | None = None
    approved: bool = False
    while_held: bool = False


class Objection(Payload):
    """Why a request must not leave.

    Without an `outcome` people may approve it nevertheless, and the case is held. Else nobody may:
    that is then the outcome of every subject.
    """

    reason: str
    cause: HoldCause = HoldCause.CHANGED
    outcome: str | None = None
