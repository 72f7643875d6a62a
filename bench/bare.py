"""The minimum cost of "one workflow per message": workflows with one no-op activity each.

`python -m bench.bare ADDRESS N` prints `ready`, starts N workflows when a line arrives on stdin,
prints `worked` when every activity has run, and works until stdin is closed.
"""

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = "bare"
WORKFLOW = "bare"
_AT_ONCE = 100
_LIMIT = timedelta(seconds=60)


class Activities:
    """The activity, and how often it has yet to run."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.worked = asyncio.Event()

    @activity.defn(name="bare.nothing")
    async def nothing(self) -> None:
        """Do nothing, and be counted."""
        self._left -= 1
        if self._left <= 0:
            self.worked.set()


@workflow.defn(name=WORKFLOW)
class Bare:
    """One activity, and the end."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing, durably."""
        await workflow.execute_activity_method(Activities.nothing, start_to_close_timeout=_LIMIT)


async def start(client: Client, count: int) -> None:
    """Start the workflows, many at a time."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await client.start_workflow(Bare.run, id=f"bare/{number}", task_queue=QUEUE)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


async def main(address: str, count: int) -> None:
    """Work until stdin is closed; that also happens when the parent process dies."""
    client, activities = await Client.connect(address), Activities(count)
    async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[activities.nothing]):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        working = asyncio.create_task(_work(client, activities, count))
        await asyncio.to_thread(sys.stdin.read)
        working.cancel()


async def _work(client: Client, activities: Activities, count: int) -> None:
    await start(client, count)
    await activities.worked.wait()
    print("worked", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
