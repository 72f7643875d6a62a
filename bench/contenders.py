"""One round of each contender of the outbreak: what runs, and what is measured.

The clock starts when the messages can be found (for bare workflows: at the request to start them)
and stops at the last move in the ledger of the simulator (at the end of the last workflow). CPU,
memory, requests and Temporal actions count until the contender has finished, which for clawback is
later than the last move.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bench.actions import Kind, count_actions
from bench.bare import WORKFLOW
from bench.stage import (
    Responder,
    Server,
    Witness,
    clawback,
    eventually,
    settled,
    simulator,
    temporal,
)
from bench.usage import Usage, Watch
from clawback.local import parent_death
from clawback.simulator import outbreak


@dataclass(frozen=True)
class Plan:
    """The size of the outbreak and the conditions of a run."""

    messages: int
    rate_limit: str
    interval: timedelta
    random: Random


@dataclass(frozen=True)
class Round:
    """The result of one round of one contender.

    `cpu` and `peak` are those of its own processes, `server` those of the Temporal server.
    """

    seconds: float
    own: Usage
    server: Usage | None = None
    requests: int | None = None
    refused: int | None = None
    actions: int | None = None
    moved: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


async def run_clawback(plan: Plan) -> Round:
    """Clawback runs and polls; the outbreak arrives at a random moment between two polls."""
    async with clawback(plan.rate_limit, plan.interval) as responder:
        await asyncio.sleep(plan.random.uniform(0, plan.interval.total_seconds()))
        asked = (await responder.witness.counts())["requests"]
        async with Watch(
            {"own": responder.worker.pid, "server": responder.server.child.pid}
        ) as watch:
            since = await responder.witness.inject(outbreak(plan.messages))
            await eventually(lambda: _all_done(responder, plan.messages))
            until = datetime.now(UTC)
        changes = await responder.witness.changes()
        requests = await responder.witness.requests(asked)
        actions = await count_actions(responder.server.client, since, until)
    return Round(
        seconds=_last_move(changes, since),
        own=watch.usage("own"),
        server=watch.usage("server"),
        requests=len(requests),
        refused=_refused(requests),
        actions=actions.total(),
        moved=_moved(changes),
        detail={
            "seconds_until_read": _first_read(requests, since),
            "seconds_until_all_done": (until - since).total_seconds(),
            "changes": dict(Counter(row["operation"] for row in changes)),
            "requests": dict(
                Counter(
                    f"{asked['method']} {asked['template'].partition('/email-security')[2]}"
                    for asked in requests
                )
            ),
            "actions": _legible(actions),
        },
    )


async def run_script(plan: Plan, how: str) -> Round:
    """The outbreak has arrived; the script starts, moves the messages and ends."""
    async with simulator(plan.rate_limit) as witness:
        await witness.inject(outbreak(plan.messages))
        since = datetime.now(UTC)
        command = [sys.executable, "-m", "bench.script", how, witness.api]
        tied = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]
        process = subprocess.Popen(tied, stdout=subprocess.PIPE, text=True)  # noqa: S603, ASYNC220 - it is waited for in a thread
        async with Watch({"own": process.pid}) as watch:
            said, cpu = await asyncio.to_thread(_to_the_end, process)
        changes, requests = await witness.changes(), await witness.requests()
    return Round(
        seconds=_last_move(changes, since),
        own=Usage(cpu, watch.usage("own").peak),
        requests=len(requests),
        refused=_refused(requests),
        moved=_moved(changes),
        detail={"said": said.strip()},
    )


async def run_bare(plan: Plan) -> Round:
    """A worker is ready; it is told to start and run one workflow for each message."""
    async with temporal() as server:
        command = [sys.executable, "-m", "bench.bare", server.address, str(plan.messages)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            return await _measured_bare(plan, server, process)
        finally:
            process.kill()
            await process.wait()


async def _measured_bare(plan: Plan, server: Server, process: asyncio.subprocess.Process) -> Round:
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    async with Watch({"own": process.pid, "server": server.child.pid}) as watch:
        since = datetime.now(UTC)
        process.stdin.write(b"go\n")
        await process.stdout.readline()
        await eventually(lambda: _all_completed(server, plan.messages), every=0.5)
    closed = [
        line.close_time
        async for line in server.client.list_workflows(f"WorkflowType = '{WORKFLOW}'")
        if line.close_time
    ]
    actions = await count_actions(server.client, since, datetime.now(UTC))
    return Round(
        seconds=(max(closed) - since).total_seconds(),
        own=watch.usage("own"),
        server=watch.usage("server"),
        actions=actions.total(),
        detail={"completed": len(closed), "actions": _legible(actions)},
    )


def _to_the_end(process: subprocess.Popen[str]) -> tuple[str, float]:
    assert process.stdout is not None
    with process.stdout as said:
        words = said.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return words, used.ru_utime + used.ru_stime


async def _all_done(responder: Responder, messages: int) -> bool | None:
    moved = (await responder.witness.counts())["by_operation"].get("move", 0)
    if moved < messages:
        return None
    return await settled(responder.cases)


async def _all_completed(server: Server, messages: int) -> bool | None:
    query = f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = 'Completed'"
    return (await server.client.count_workflows(query)).count >= messages or None


def moment(row: dict[str, Any]) -> datetime:
    """When a row of the simulator's ledger or request log was written."""
    return datetime.fromisoformat(row["at"])


def _last_move(changes: list[dict[str, Any]], since: datetime) -> float:
    return (
        max(moment(row) for row in changes if row["operation"] == "move") - since
    ).total_seconds()


def _moved(changes: list[dict[str, Any]]) -> int:
    return len({row["id"] for row in changes if row["operation"] == "move"})


def _first_read(requests: list[dict[str, Any]], since: datetime) -> float:
    reads = (moment(row) for row in requests if row["path"].endswith("/investigate"))
    return (min(at for at in reads if at >= since - timedelta(seconds=1)) - since).total_seconds()


def _refused(requests: list[dict[str, Any]]) -> int:
    return sum(row["status"] == 429 for row in requests)


def _legible(actions: Counter[Kind]) -> dict[str, int]:
    return {f"{workflow}: {what}": number for (workflow, what), number in sorted(actions.items())}


__all__ = ["Plan", "Round", "Witness", "moment", "run_bare", "run_clawback", "run_script"]
