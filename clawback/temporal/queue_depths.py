"""How much work waits in each task queue, as the server knows it. Needs no worker."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from clawback.temporal import names

_SEEN_WITHIN: Final = timedelta(minutes=2)
"""A request for work takes a minute: who asked since then is there."""
_KINDS: Final = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
QUEUES: Final = (
    (names.WORKFLOW_QUEUE, "workflow"),
    (names.GUARD_QUEUE, "workflow"),
    (names.GUARD_QUEUE, "activity"),
    (names.READ_QUEUE, "activity"),
    (names.CONTAIN_QUEUE, "activity"),
    (names.RECLASSIFY_QUEUE, "activity"),
    (names.NOTIFICATION_QUEUE, "activity"),
)
"""The queues that every installation has, and what waits in each."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One task queue: tasks that wait, the age of the oldest, and how many pollers ask for them.

    `is_closed` says that the kill switch has set its rate to zero.
    """

    queue: str
    kind: str
    waiting: int
    oldest: timedelta
    pollers: int
    is_closed: bool


async def read_queue_depths(client: Client) -> list[QueueDepth]:
    """Read all queues.

    Raises:
        RPCError: the server does not answer.

    """
    return list(await asyncio.gather(*(_read(client, *queue) for queue in QUEUES)))


async def _read(client: Client, queue: str, kind: str) -> QueueDepth:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_KINDS[kind],
            report_stats=True,
            report_config=True,
        )
    )
    since = datetime.now(UTC) - _SEEN_WITHIN
    limit = answer.config.queue_rate_limit
    return QueueDepth(
        queue=queue,
        kind=kind,
        waiting=answer.stats.approximate_backlog_count,
        oldest=answer.stats.approximate_backlog_age.ToTimedelta(),
        pollers=sum(one.last_access_time.ToDatetime(UTC) > since for one in answer.pollers),
        is_closed=limit.HasField("rate_limit") and limit.rate_limit.requests_per_second == 0,
    )
