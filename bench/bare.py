"""The floor of "one workflow per message": workflows that do nothing, each with one activity that does nothing.

`python -m bench.bare ADDRESS N` is one process: a worker, and what starts N workflows once a line arrives on stdin. It says `ready` before
that and `started` after it, and works until stdin is closed.
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


@activity.defn(name="bare.nothing")
async def nothing() -> None:
    """Do nothing."""


@workflow.defn(name=WORKFLOW)
class Bare:
    """One activity, and the end."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing, durably."""
        await workflow.execute_activity(nothing, start_to_close_timeout=_LIMIT)


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
    """Work until stdin is closed."""
    client = await Client.connect(address)
    async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[nothing]):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await start(client, count)
        print("started", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
