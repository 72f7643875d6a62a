"""The names that both sides of Temporal agree on.

Workflow types are kebab-case; signals are past-tense facts, updates imperatives, queries nouns.
No mail address may appear in an id or a search attribute: neither is encrypted.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from clawback.model.events import EventKind

# ---- task queues

WORKFLOW_QUEUE: Final = "clawback"
READ_QUEUE: Final = "clawback-read"
CONTAIN_QUEUE: Final = "clawback-contain"
RECLASSIFY_QUEUE: Final = "clawback-reclassify"
"""Reclassifications cost a request each, so thousands of them may wait, and nothing behind them."""
STOPPABLE_QUEUES: Final = (CONTAIN_QUEUE, RECLASSIFY_QUEUE)
"""The queues that the kill switch closes."""
NOTIFICATION_QUEUE: Final = "clawback-notification"
WORKER_QUEUE: Final = "clawback-read-by"
"""One worker process reads all pages, as long as it can: it knows what it has dispatched.

Each process has a queue of its own, see `worker_queue`.
"""
GUARD_QUEUE: Final = "clawback-guard"
"""The guard workflow and the activity that asks it have a queue and slots of their own.

Cases that wait for the guard can never hold the slots that the guard needs to answer.
"""

OUR_WORKFLOWS: Final = f"TaskQueue IN ('{WORKFLOW_QUEUE}', '{GUARD_QUEUE}')"
"""The visibility query for every workflow of clawback, open or closed."""

# ---- priorities: lower goes first

UNDO_PRIORITY: Final = 1
APPROVED_PRIORITY: Final = 2
ROUTINE_PRIORITY: Final = 3
READ_PRIORITY: Final = 4
BACKFILL_PRIORITY: Final = 5

# ---- workflow types

POLLER: Final = "poller"
CASE: Final = "case"
CASE_PART: Final = "case-part"
CORRELATION: Final = "correlation"
BLOCK_EXPIRY: Final = "block-expiry"
POLICY_EXPIRY: Final = "policy-expiry"
WATCHDOG: Final = "watchdog"
GUARD: Final = "guard"
GUARD_ID: Final = "guard"
CASE_UNDO: Final = "case-undo"
UNDO: Final = "undo"
OWN_SUBMISSION: Final = "own-submission"
NOTIFICATION: Final = "notification"
ANNOUNCEMENT: Final = "announcement"
DIGEST: Final = "digest"
SET_ASIDE: Final = "set-aside"
RECONCILIATION: Final = "reconciliation"
ACCESS: Final = "access"
ACCESS_ID: Final = "access"

# ---- signals

MATCHED: Final = "matched"
UNDO_REQUESTED: Final = "undo_requested"
PART_CHANGED: Final = "part_changed"
NOTIFICATION_ENDED: Final = "notification_ended"
PUT_OFF: Final = "put_off"
DIGESTED: Final = "digested"
BUDGET_FREED: Final = "budget_freed"
REFUNDED: Final = "refunded"
WORK_UNDONE: Final = "work_undone"
GUARD_LOST: Final = "guard_lost"

# ---- updates

PLACE: Final = "place"
APPROVE: Final = "approve"
DENY: Final = "deny"
COMMENT: Final = "comment"
ASSIGN: Final = "assign"
POLL_NOW: Final = "poll_now"
PAUSE: Final = "pause"
RESUME: Final = "resume"
REWIND: Final = "rewind"
EXTEND: Final = "extend"
LIFT: Final = "lift"
CLAIM: Final = "claim"
WITHDRAW: Final = "withdraw"
RESERVE: Final = "reserve"
STOP: Final = "stop"
CONFIRM: Final = "confirm"
COUNT_UNDO: Final = "count_undo"
CREATE_TOKEN: Final = "create_token"  # noqa: S105 - a name, not a secret
REVOKE_TOKEN: Final = "revoke_token"  # noqa: S105 - a name, not a secret
REVOKE_SESSION: Final = "revoke_session"
REVOKE_PERSON: Final = "revoke_person"

# ---- queries

STATUS: Final = "status"
SNAPSHOT: Final = "snapshot"
KNOWN: Final = "known"
PROPOSAL: Final = "proposal"
PROPOSAL_CHANGE: Final = "proposal_change"
PAST_PROPOSALS: Final = "past_proposals"
ANSWER: Final = "answer"
WINDOWS: Final = "windows"

# ---- memo and search attributes

GUARD_MEMO: Final = "guard"
BINDING_MEMO: Final = "binding"
BLOCK_MEMO: Final = "block"
SUMMARY_MEMO: Final = "summary"
HOLD_MEMO: Final = "hold"
UNDO_MEMO: Final = "undo"
OWNER_MEMO: Final = "owner"
ACCESS_MEMO: Final = "access"
RULE_ATTRIBUTE: Final = "ClawbackRule"
STATE_ATTRIBUTE: Final = "ClawbackState"
MODE_ATTRIBUTE: Final = "ClawbackMode"
HASH_ATTRIBUTE: Final = "ClawbackHash"
"""The hash at the end of the id of a case, by whose first digits people name it."""
CHANNEL_ATTRIBUTE: Final = "ClawbackChannel"
"""The channel of a notification: the name that the operator gave it."""
TOUCHES_ATTRIBUTE: Final = "ClawbackTouches"
"""Keyed hashes of what a case touches, and marks: see `clawback.cases.touches`."""
OPENED_ATTRIBUTE: Final = "ClawbackOpened"
"""When a case opened: the start time of the server is that of its newest run."""
CHANGED_ATTRIBUTE: Final = "ClawbackChanged"
"""When something changed last that people see of a case; the server knows when it closed."""
LEVEL_ATTRIBUTE: Final = "ClawbackLevel"
HELD_UNTIL_ATTRIBUTE: Final = "ClawbackHeldUntil"
"""When a held case expires; unset while it is not held."""
SEARCH_ATTRIBUTES: Final[Mapping[str, str]] = {
    RULE_ATTRIBUTE: "Keyword",
    STATE_ATTRIBUTE: "Keyword",
    MODE_ATTRIBUTE: "Keyword",
    HASH_ATTRIBUTE: "Keyword",
    CHANNEL_ATTRIBUTE: "Keyword",
    TOUCHES_ATTRIBUTE: "KeywordList",
    OPENED_ATTRIBUTE: "Datetime",
    CHANGED_ATTRIBUTE: "Datetime",
    LEVEL_ATTRIBUTE: "Keyword",
    HELD_UNTIL_ATTRIBUTE: "Datetime",
}


# ---- workflow ids

CORRELATION_SHARDS: Final = 64
"""How many workflows count the groups of all correlations.

A page costs at most so many signals. Another number counts all groups anew.
"""


def worker_queue(worker: str) -> str:
    """The task queue on which one worker process alone reads pages."""
    return f"{WORKER_QUEUE}/{worker}"


def poller_id(source: EventKind) -> str:
    """The id of the one poller of a source."""
    return f"{POLLER}/{source}"


def correlation_id(case_id: str) -> str:
    """The id of the shard that counts the rule and group of a case."""
    hashed = hashlib.sha256(case_id.encode()).digest()
    return f"{CORRELATION}/{int.from_bytes(hashed[:4]) % CORRELATION_SHARDS}"


def expiry_id(block_id: str) -> str:
    """The id of the workflow that removes a block, or a policy (`<list>/<id>`), when it expires."""
    return f"expiry/{block_id}"


def case_undo_id(case_uid: str) -> str:
    """The id of the undo of a case, by the case's uid (`<case id>/<first run>`)."""
    return f"{CASE_UNDO}/{case_uid}"


def correction_id(key: str) -> str:
    """The id of the mark of one correction of undo."""
    return f"correction/{key}"


def own_submission_id(key: str) -> str:
    """The id of the marker of one reclassification of ours."""
    return f"{OWN_SUBMISSION}/{key}"


def notification_id(hashed: str) -> str:
    """The id of the one workflow that delivers a notification."""
    return f"{NOTIFICATION}/{hashed}"


def digest_id(channel: str) -> str:
    """The id of what waits for the end of the quiet hours of a channel."""
    return f"{DIGEST}/{channel}"


def announcement_id(hashed: str) -> str:
    """The id of the workflow that tells the channels of something of the installation."""
    return f"{ANNOUNCEMENT}/{hashed}"


def set_aside_id(case_id: str, digest: str) -> str:
    """The id of the workflow that retries matches which a case did not take."""
    return f"{SET_ASIDE}/{case_id}/{digest}"


def describe_workflow(workflow_id: str) -> dict[str, str]:
    """Say which case and rule, or which source, a workflow is about, as fields of log events."""
    kind, _, rest = workflow_id.partition("/")
    if kind == CASE:
        return {"case": case_and_part(workflow_id)[0], "rule": rest.partition("/")[0]}
    return {"source": rest} if kind == POLLER else {}


def short_id(case_id: str) -> str:
    """The first digits of the hash of a case, which usually name it alone."""
    return case_and_part(case_id)[0].rpartition("/")[2][:SHORT_ID_DIGITS]


SHORT_ID_DIGITS: Final = 8
_CASE_SLASHES = 2
"""In `case/<rule>/<hash>`; neither of the two holds a slash."""


def part_id(case_id: str, part: int) -> str:
    """The id of a part of a campaign: the case itself is part 1."""
    return case_id if part == 1 else f"{case_id}/{part}"


def case_and_part(workflow_id: str) -> tuple[str, int]:
    """The id of the case that a part belongs to, and the number of the part."""
    case_id, _, number = workflow_id.rpartition("/")
    return (case_id, int(number)) if is_part(workflow_id) else (workflow_id, 1)


def is_part(workflow_id: str) -> bool:
    """Whether this is the id of a further part of a campaign."""
    return workflow_id.count("/") > _CASE_SLASHES


def quote_value(value: str) -> str:
    """Quote a value for a visibility query."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
