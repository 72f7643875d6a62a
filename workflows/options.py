"""Every timeout, retry policy, priority and task queue of every activity, by purpose.

A heartbeat timeout is how long a killed worker keeps a task. Start-to-close is longer than the API
client's own timeout, so that the activity itself says what happened. Retries end by
schedule-to-close or by the patience of the workflow. A request that is not safe to repeat gets one
attempt: the workflow verifies before it tries again.

Activities that wait in a queue are taken in this order: undo, what people approved, what rules do
alone, reading.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from clawback.temporal import names
from clawback.temporal.error_types import ErrorType

_UNDO = Priority(priority_key=names.UNDO_PRIORITY)
_APPROVED = Priority(priority_key=names.APPROVED_PRIORITY)
_ROUTINE = Priority(priority_key=names.ROUTINE_PRIORITY)
_READING = Priority(priority_key=names.READ_PRIORITY)
_BACKFILL = Priority(priority_key=names.BACKFILL_PRIORITY)

_NOT_RETRYABLE: Final = [
    ErrorType.UNAUTHENTICATED,
    ErrorType.PERMISSION_DENIED,
    ErrorType.INVALID_REQUEST,
    ErrorType.NOT_FOUND,
]

FIND_READER: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=10),
    "priority": _READING,
}
"""Find a worker that reads the pages of a source from now on."""

POLL: Final[dict[str, Any]] = {
    "schedule_to_start_timeout": timedelta(seconds=5),
    "start_to_close_timeout": timedelta(seconds=120),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(minutes=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=_NOT_RETRYABLE,
    ),
    "priority": _READING,
}
"""Read one page of the API, on the queue of one worker. Another is chosen if it is not taken.

A rate-limit block of five minutes fits into schedule-to-close.
"""

WATCH: Final[dict[str, Any]] = {
    **POLL,
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=1.0,
        non_retryable_error_types=[one for one in ErrorType if one is not ErrorType.NOTHING_NEW],
    ),
}
"""Read the newest window until something is new; every other error ends it.

Cancelling it takes effect at once, also between two attempts.
"""

BACKFILL: Final[dict[str, Any]] = {**POLL, "priority": _BACKFILL}
"""Read one page of a backlog: after everything else that waits in the queue."""

VERIFY: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(hours=24),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        backoff_coefficient=1.5,
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=_NOT_RETRYABLE,
    ),
    "priority": _ROUTINE,
}
"""Verify what a request did. Comes before every repeat, so it goes ahead of every poll."""

CORRELATE: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30)
    ),
    "priority": _ROUTINE,
}
"""Send the matches of satisfied correlations to their cases: safe to repeat, retried for ever."""

CONTAIN: Final[dict[str, Any]] = {
    "task_queue": names.CONTAIN_QUEUE,
    "start_to_close_timeout": timedelta(seconds=90),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(maximum_attempts=1),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    "priority": _ROUTINE,
}
"""Send a request that is not safe to repeat without verifying first.

A workflow that cancels it waits for the result.
"""

RECLASSIFY: Final[dict[str, Any]] = {**CONTAIN, "task_queue": names.RECLASSIFY_QUEUE}
"""Send a reclassification.

It waits in a queue of its own until the rate limit allows it, however long that is.
"""


def approved_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the same options at the priority of what people approved."""
    return {**options, "priority": _APPROVED}


UNDO: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=[ErrorType.INVALID_REQUEST, ErrorType.NOT_FOUND],
    ),
    "priority": _UNDO,
}
"""Undo something by a request that is safe to repeat; retried for ever, ahead of all else.

On a queue that the kill switch does not close.
"""

ASSESS_UNDO: Final[dict[str, Any]] = {**UNDO, "start_to_close_timeout": timedelta(minutes=5)}
"""Judge an undo: it reads each of up to some thousand cases, and pages of detections."""

UNDO_ONCE: Final[dict[str, Any]] = {**UNDO, "retry_policy": RetryPolicy(maximum_attempts=1)}
"""Undo something by a request that is not safe to repeat without verifying first."""

VERIFY_UNDO: Final[dict[str, Any]] = {**VERIFY, "priority": _UNDO}
"""Verify what a request of an undo did."""

EXPIRE: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=10),
    ),
    "priority": _READING,
}
"""Remove something of ours that has expired: safe to repeat, retried for ever."""

EXTEND_MARK: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "schedule_to_close_timeout": timedelta(minutes=1),
    "priority": _READING,
}
"""Write an extension into the entry. A person waits for it, so it is given up after a minute."""

LONGEST_WAIT: Final = timedelta(days=365)
"""The longest timer of a workflow that waits for an end, which may be never."""

RECONCILE: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(hours=12),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10)
    ),
    "priority": _BACKFILL,
}
"""Read all policy lists once and compare them: safe to repeat, and never urgent."""

DELIVER: Final[dict[str, Any]] = {
    "task_queue": names.NOTIFICATION_QUEUE,
    "start_to_close_timeout": timedelta(seconds=75),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(hours=6),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=5),
        non_retryable_error_types=[ErrorType.INVALID_REQUEST, ErrorType.NOT_FOUND],
    ),
}
"""Deliver a notification; repeated with the same id until it is delivered or time is up.

On a queue of its own, so that nothing else waits behind a slow channel.
"""

FIND_ROUTE: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=5),
    "local_retry_threshold": timedelta(seconds=5),
}
"""Find the way of a notification, as a local activity: it only reads the channel file."""

PUT_OFF: Final[dict[str, Any]] = {
    "task_queue": names.NOTIFICATION_QUEUE,
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
    ),
}
"""Hand a notification to a digest: safe to repeat, retried for ever."""

ASK_UNANSWERED: Final[dict[str, Any]] = {
    "task_queue": names.NOTIFICATION_QUEUE,
    "start_to_close_timeout": timedelta(seconds=45),
    "schedule_to_close_timeout": timedelta(minutes=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
    ),
}
"""Ask a case whether people have decided. It is told as unanswered if it cannot say so."""

DIGEST_PATIENCE: Final = timedelta(hours=8)
"""How long after quiet hours a notification waits for its digest, which is retried for six.

Then it goes out alone, so that it is never lost.
"""

FIND_LISTENERS: Final[dict[str, Any]] = {
    "task_queue": names.NOTIFICATION_QUEUE,
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
    ),
}
"""Ask a worker which channels listen for something; it only reads its channel file."""

RECORD: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
    ),
    "local_retry_threshold": timedelta(seconds=5),
}
"""Write to the audit of this worker, as a local activity, until it is written."""

VERIFY_ORDER: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=5),
    "local_retry_threshold": timedelta(seconds=5),
}
"""Verify a signed order, as a local activity: it only computes."""

RESERVE: Final[dict[str, Any]] = {
    "task_queue": names.GUARD_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
    ),
}
"""Ask the guard until it answers: without its answer nothing is done.

Never a local activity: that would hold a workflow-task slot while it waits for another workflow.
"""

REDELIVER: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=10)
    ),
    "priority": _ROUTINE,
}
"""Deliver matches that a case did not take; retried for ever, ever more slowly."""

RESERVE_AND_MOVE: Final[dict[str, Any]] = {
    **RESERVE,
    "start_to_close_timeout": CONTAIN["start_to_close_timeout"],
}
"""Ask the guard until it answers, and move at once with the first attempt."""

READ_PAST: Final[dict[str, Any]] = {
    "task_queue": names.GUARD_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "schedule_to_close_timeout": timedelta(minutes=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)
    ),
}
"""Read what a lost guard knew. Nothing is reserved meanwhile, so it gives up after some minutes."""

GUARD_TELLS: Final = timedelta(minutes=1)
"""How often the guard looks whether a budget has room for held cases, while any wait."""

GUARD_PAUSE: Final = timedelta(seconds=10)
"""Wait before a guard that is lost is told again; workers start it again within seconds."""

START_POLLERS: Final[dict[str, Any]] = {
    "task_queue": names.READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=30),
    "schedule_to_close_timeout": timedelta(minutes=2),
}
"""Start what must always run. The watchdog comes again, so a failure may end."""

FIRST_PAUSE: Final = timedelta(seconds=1)
"""Wait after an attempt that named no delay, before repeating or verifying it. Doubles."""
LONGEST_PAUSE: Final = timedelta(minutes=1)
"""The longest wait that doubling reaches."""
ACCESS_PAUSE: Final = timedelta(minutes=1)
"""Wait between attempts while the token is refused."""
STOPPED_PAUSE: Final = timedelta(seconds=10)
"""Wait after an attempt that the kill switch refused.

The next one waits in the closed queue until containment is resumed.
"""
CONTAINMENT_PATIENCE: Final = timedelta(hours=24)
"""Total wait between attempts at one action, before its outcome is `failed:unavailable`."""
REFUSED_PAUSE: Final = timedelta(seconds=15)
"""Wait before messages that were refused one by one are tried once more: a mailbox may be busy."""
EFFECT_PAUSES: Final = tuple(timedelta(seconds=pause) for pause in (1, 2, 4, 8, 15, 30, 60, 60, 60))
"""Waits between the looks for an effect of a request that was accepted: it may take minutes."""
LOST_PAUSES: Final = EFFECT_PAUSES[:4]
"""The same after a lost response, where a repeat has an effect of its own."""
MOST_SILENT: Final = 2
"""Responses that omit a message which then turns out, after `EFFECT_PAUSES`, to be unchanged.

After these, its outcome is `failed:not_moved`.
"""
WITHDRAWAL_PAUSE: Final = timedelta(seconds=30)
"""Wait before an entry without claims is removed: undo removes those of many cases at once."""
CLAIM_PAUSE: Final = timedelta(seconds=5)
"""Wait before an entry that is just being removed is searched for again."""
MOST_CLAIM_ATTEMPTS: Final = 12
"""Attempts to claim an entry that is being removed, before its outcome is `already_there`."""
TROUBLE_PAUSE: Final = timedelta(minutes=1)
"""Wait before a poller that cannot read at all tries again."""
SWEEP_PAUSE: Final = timedelta(seconds=5)
"""Wait after each page of the sweep, so that it takes at most 5 % of the rate limit."""
