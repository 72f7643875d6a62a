"""The names both sides of Temporal agree on. They live in histories: change none, add only.

No mail address may ever appear in an id or a search attribute: neither is encrypted.
"""

from collections.abc import Mapping
from typing import Final

from clawback.model.events import EventKind

WORKFLOW_QUEUE: Final = "clawback"
READ_QUEUE: Final = "clawback-read"
CONTAIN_QUEUE: Final = "clawback-contain"
NOTIFICATION_QUEUE: Final = "clawback-notification"
GUARD_QUEUE: Final = "clawback-guard"
"""The guard workflow and the activity that asks it have a queue and slots of their own.

Cases that wait for the guard can never hold the slots that the guard needs to answer.
"""

UNDO_PRIORITY: Final = 1
APPROVED_PRIORITY: Final = 2
"""The priorities of what people take back and of what they have agreed to.

By them activities go first in a queue, and by them an activity knows on whose behalf it asks the
API.
"""

POLLER: Final = "poller"
CASE: Final = "case"
BLOCK_EXPIRY: Final = "block-expiry"
POLICY_EXPIRY: Final = "policy-expiry"
WATCHDOG: Final = "watchdog"
GUARD: Final = "guard"
GUARD_ID: Final = "guard"
UNDO: Final = "undo"
UNDOING: Final = "undoing"
OWN_SUBMISSION: Final = "own-submission"
NOTIFICATION: Final = "notification"

MATCHED: Final = "matched"
APPROVE: Final = "approve"
DENY: Final = "deny"
POLL_NOW: Final = "poll_now"
PAUSE: Final = "pause"
RESUME: Final = "resume"
REWIND: Final = "rewind"
STATUS: Final = "status"
PROPOSAL: Final = "proposal"
EXTEND: Final = "extend"
LIFT: Final = "lift"
STANDING: Final = "standing"
RESERVE: Final = "reserve"
NOT_SPENT: Final = "not_spent"
STOP: Final = "stop"
WORK_UNDONE: Final = "work_undone"
CONFIRM: Final = "confirm"
UNDO_ASKED: Final = "undo_asked"
NOTIFICATION_ENDED: Final = "notification_ended"
STOPPED_MEMO: Final = "stopped"
BLOCK_MEMO: Final = "block"

RULE_ATTRIBUTE: Final = "ClawbackRule"
STATE_ATTRIBUTE: Final = "ClawbackState"
MODE_ATTRIBUTE: Final = "ClawbackMode"
SEARCH_ATTRIBUTES: Final[Mapping[str, str]] = {
    RULE_ATTRIBUTE: "Keyword",
    STATE_ATTRIBUTE: "Keyword",
    MODE_ATTRIBUTE: "Keyword",
}


def poller_id(source: EventKind) -> str:
    """The id of the one poller of a source."""
    return f"poller/{source}"


def expiry_id(block_id: str) -> str:
    """The id of the one workflow that removes a block when its time is up."""
    return f"expiry/{block_id}"


def own_submission_id(mark: str) -> str:
    """The id of the mark of one reclassification of ours."""
    return f"own-submission/{mark}"


def notification_id(hashed: str) -> str:
    """The id of the one workflow that delivers a notification."""
    return f"{NOTIFICATION}/{hashed}"


def quoted(value: str) -> str:
    """Write a value as the list filter of Temporal wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
