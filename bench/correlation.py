"""What counting costs: Temporal actions and CPU per message that a correlation counts.

The shards run on a server of their own; nothing reaches its threshold, so no case opens.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import typer
from rich.table import Table
from temporalio.worker import Worker

from bench.actions import count_actions
from bench.report import environment_info, wide_console, write_json
from bench.stage import Server, eventually, temporal
from bench.usage import Watch
from clawback.cases import CasePlan, Match
from clawback.correlation.sliding_window import CorrelationType, CorrelationWindow
from clawback.model.messages import Target
from clawback.model.mode import Mode
from clawback.settings import Settings
from clawback.temporal import names
from clawback.temporal.correlation_gateway import CorrelationGateway
from clawback.temporal.worker_versions import deployment_config, take_over
from worker import WORKFLOW_RUNNER
from workflows.correlation_shard import CorrelationShardWorkflow

_LINGER = timedelta(minutes=30)
_NEVER = CorrelationWindow(
    type=CorrelationType.EVENT_COUNT, timespan=timedelta(hours=24), at_least=10**6
)


async def correlation(
    messages: Annotated[int, typer.Option(help="Messages of the burst.")] = 10_000,
    page: Annotated[int, typer.Option(help="Messages on a page of the API.")] = 1_000,
    groups: Annotated[int, typer.Option(help="Groups that the messages belong to.")] = 5_000,
    trickle: Annotated[int, typer.Option(help="Messages that then arrive one by one.")] = 200,
    json: Annotated[Path | None, typer.Option(help="Also write the figures here.")] = None,
) -> None:
    """Measure what a message costs that a correlation only counts."""
    found = [_match(number) for number in range(messages + trickle)]
    burst = [found[start : start + page] for start in range(0, messages, page)]
    settings = Settings.model_construct()
    async with temporal() as server:
        await take_over(server.client, settings)
        shards = Worker(
            server.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[CorrelationShardWorkflow],
            workflow_runner=WORKFLOW_RUNNER,
            deployment_config=deployment_config(settings),
        )
        async with shards:
            rounds = {
                "burst": await _measure(server, burst, groups),
                "trickle": await _measure(server, [[one] for one in found[messages:]], groups),
            }
    _print(rounds)
    write_json({"rounds": rounds, "environment": environment_info()}, json)


async def _measure(server: Server, pages: Sequence[Sequence[Match]], groups: int) -> dict[str, Any]:
    """Count pages; what that took per message."""
    gateway = CorrelationGateway(server.client)
    before, messages = await _remembered(gateway), sum(map(len, pages))
    began, cpu = datetime.now(UTC), process_time()
    async with Watch({"server": server.child.pid}) as watch:
        for page in pages:
            planned = [(_plan(int(one.key.partition("/")[2]) % groups), [one]) for one in page]
            await gateway.send_matches(planned, _LINGER)
        await eventually(lambda: _has_counted(gateway, before + messages), every=1.0)
    worker = process_time() - cpu
    actions = await count_actions(server.client, began, datetime.now(UTC))
    return {
        "messages": messages,
        "actions": actions.total() / messages,
        "worker_ms": worker / messages * 1000,
        "server_ms": watch.usage("server").cpu / messages * 1000,
    }


async def _remembered(gateway: CorrelationGateway) -> int:
    return sum(status.matches for status in await gateway.statuses())


async def _has_counted(gateway: CorrelationGateway, messages: int) -> bool | None:
    return await _remembered(gateway) == messages or None


def _plan(group: int) -> CasePlan:
    return CasePlan(
        rule="bench",
        version="1",
        mode=Mode.SHADOW,
        group={"from": f"sender{group}@example.test"},
        actions=(),
        correlation=_NEVER,
    )


def _match(number: int) -> Match:
    now = datetime.now(UTC)
    target = Target(
        id=f"{number:017x}-{number:017x}",
        message_id=f"<{number:032x}@mail.example.test>",
        at=now,
        sender="sender@example.test",
        mailbox=f"person{number}@corp.example.test",
    )
    return Match(key=f"message/{number}", at=now, seen_at=now, rule="block", targets=(target,))


def _print(rounds: dict[str, dict[str, Any]]) -> None:
    table = Table("", "messages", "actions", "worker CPU ms", "server CPU ms")
    for name, one in rounds.items():
        figures = (f"{one[what]:.3f}" for what in ("actions", "worker_ms", "server_ms"))
        table.add_row(name, f"{one['messages']:,}", *figures)
    wide_console().print(table)
