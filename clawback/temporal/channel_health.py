"""How well each channel delivers: read from the index, so no workflow is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution

from clawback.model.notification_state import NotificationState
from clawback.temporal import names
from clawback.temporal.fan_out import gather_limited


@dataclass(frozen=True)
class ChannelHealth:
    """The deliveries of one channel, as far back as the server keeps closed workflows.

    `waiting` are being delivered or tried again, `quiet` wait for the end of quiet hours. The times
    are those of the newest delivery that succeeded, and of the newest that was given up.
    """

    channel: str
    waiting: int = 0
    quiet: int = 0
    last_success: datetime | None = None
    last_failure: datetime | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the newest delivery that ended was given up."""
        if self.last_failure is None:
            return False
        return self.last_success is None or self.last_failure > self.last_success


async def read_channel_health(client: Client, channels: Iterable[str]) -> list[ChannelHealth]:
    """Read the health of some channels, by their names in the channel file.

    Raises:
        RPCError: the server does not answer.

    """

    async def read(channel: str) -> ChannelHealth:
        waiting = await count_waiting(client, channel)
        return ChannelHealth(
            channel=channel,
            waiting=waiting[NotificationState.WAITING],
            quiet=waiting[NotificationState.QUIET],
            last_success=await _find_last(client, channel, NotificationState.NOTIFIED),
            last_failure=await _find_last(client, channel, NotificationState.FAILED),
        )

    return await gather_limited(read, tuple(channels))


async def count_waiting(client: Client, channel: str) -> dict[NotificationState, int]:
    """Count what waits for a channel, by why it waits.

    Raises:
        RPCError: the server does not answer.

    """
    counts = {}
    for state in (NotificationState.WAITING, NotificationState.QUIET):
        query = f"{_query(channel, state)} AND ExecutionStatus = 'Running'"
        counts[state] = (await client.count_workflows(query)).count
    return counts


async def _find_last(client: Client, channel: str, state: NotificationState) -> datetime | None:
    """Find the newest notification in a state; one that may still be escalated is open."""
    found = client.list_workflows(_query(channel, state), page_size=1, limit=1)
    return max([_time_of(one) async for one in found], default=None)


def _time_of(one: WorkflowExecution) -> datetime:
    return one.close_time or one.start_time


def _query(channel: str, state: NotificationState) -> str:
    return (
        f"WorkflowType = '{names.NOTIFICATION}'"
        f" AND {names.CHANNEL_ATTRIBUTE} = {names.quote_value(channel)}"
        f" AND {names.STATE_ATTRIBUTE} = '{state}'"
    )
