"""Every timeout and retry policy of every activity, by what the activity is for.

A heartbeat timeout is how long a killed worker keeps a task; start-to-close is longer than the
client's own patience. Effort is bounded by schedule-to-close or by the workflow's own patience.
Requests that are not safe to repeat get one attempt: what to do next is the workflow's decision,
after verifying.

Where activities wait in a queue, undo goes first, then what people have agreed to, then what rules
do alone, then reading.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from clawback.temporal.error_types import ErrorType
from clawback.temporal.names import (
    APPROVED_PRIORITY,
    CONTAIN_QUEUE,
    GUARD_QUEUE,
    NOTIFICATION_QUEUE,
    READ_QUEUE,
    UNDO_PRIORITY,
)

_UNDO, _APPROVED = Priority(priority_key=UNDO_PRIORITY), Priority(priority_key=APPROVED_PRIORITY)
_ROUTINE, _READING = Priority(priority_key=3), Priority(priority_key=4)

_ASK_A_PERSON: Final = [
    ErrorType.UNAUTHENTICATED,
    ErrorType.NOT_PERMITTED,
    ErrorType.REJECTED,
    ErrorType.NOT_FOUND,
]

POLL: Final[dict[str, Any]] = {
    "task_queue": READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=120),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(minutes=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=_ASK_A_PERSON,
    ),
    "priority": _READING,
}
"""Read one page. A rate-limit block of five minutes fits into its effort."""

VERIFY: Final[dict[str, Any]] = {
    "task_queue": READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(hours=24),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        backoff_coefficient=1.5,
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=[*_ASK_A_PERSON],
    ),
    "priority": _ROUTINE,
}
"""Find out what became of something; before every repeat, so ahead of every poll."""

CONTAIN: Final[dict[str, Any]] = {
    "task_queue": CONTAIN_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(maximum_attempts=1),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    "priority": _ROUTINE,
}
"""Change something with a request that is not safe to repeat blindly.

Whoever cancels it learns what became of it.
"""


def approved_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same for what people have agreed to: ahead of what rules do alone."""
    return {**options, "priority": _APPROVED}


UNDO: Final[dict[str, Any]] = {
    "task_queue": READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=[ErrorType.REJECTED, ErrorType.NOT_FOUND],
    ),
    "priority": _UNDO,
}
"""Take something back: safe to repeat, repeated for ever, on a queue that the kill switch does not stop, ahead of all else."""

UNDO_ONCE: Final[dict[str, Any]] = {**UNDO, "retry_policy": RetryPolicy(maximum_attempts=1)}
"""Take something back by a request that is not safe to repeat blindly."""

VERIFY_UNDO: Final[dict[str, Any]] = {**VERIFY, "priority": _UNDO}
"""Find out what became of taking something back."""

EXPIRE: Final[dict[str, Any]] = {
    "task_queue": READ_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=10),
        non_retryable_error_types=[],
    ),
    "priority": _READING,
}
"""Take something of ours back: safe to repeat, and repeated for ever."""

DELIVER: Final[dict[str, Any]] = {
    "task_queue": NOTIFICATION_QUEUE,
    "start_to_close_timeout": timedelta(seconds=75),
    "heartbeat_timeout": timedelta(seconds=8),
    "schedule_to_close_timeout": timedelta(hours=6),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=5),
        non_retryable_error_types=[ErrorType.REJECTED, ErrorType.NOT_FOUND],
    ),
}
"""Tell somebody; repeated with the same id until they have it or hours are over.

On a queue of its own, so that nothing waits behind it.
"""

RECORD: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
    ),
    "local_retry_threshold": timedelta(seconds=5),
}
"""Write to the audit, on this worker, until it is written."""

RESERVE: Final[dict[str, Any]] = {
    "task_queue": GUARD_QUEUE,
    "start_to_close_timeout": timedelta(seconds=25),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10)
    ),
}
"""Ask the guard until it answers: without its answer nothing is done.

Never a local activity: that would hold a workflow-task slot while it waits for another workflow.
"""

FIRST_PAUSE: Final = timedelta(seconds=1)
"""Wait after an attempt that named no delay.

Before repeating it, or before looking for what it did. Doubled each time.
"""
LONGEST_PAUSE: Final = timedelta(minutes=1)
"""The longest such wait."""
ACCESS_PAUSE: Final = timedelta(minutes=1)
"""Wait between attempts while the token is refused."""
STOPPED_PAUSE: Final = timedelta(seconds=10)
"""Wait after an attempt that the kill switch refused.

The next one waits in the queue until it is off.
"""
CONTAINMENT_PATIENCE: Final = timedelta(hours=24)
"""How long a case waits between attempts at one action, all together, before its outcome is `failed:unavailable`."""
REFUSED_PAUSE: Final = timedelta(seconds=15)
"""Wait before messages that were refused one by one are tried once more.

A mailbox may have been busy.
"""
MOST_SILENT: Final = 3
"""Answers that do not speak of a message which then proves not to have been moved, before its outcome is `failed:not_moved`."""
TROUBLE_PAUSE: Final = timedelta(minutes=1)
"""Wait before a poller that cannot read at all tries again."""
