"""Lists, filters and undo plans over many cases.

No worker runs, so no case can be replayed: everything comes from index, memo and history.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sized
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.table import Table
from temporalio.common import SearchAttributeKey, SearchAttributePair

from bench.report import environment_info, wide_console, write_json
from bench.stage import FOREIGN, Server, eventually, temporal
from clawback.actions import BlockSender, Move
from clawback.case_files.case_ids import find_case_id
from clawback.cases import CasePlan, CaseSnapshot, CaseStart, CaseState, CaseTiming, Match
from clawback.cases.state import AppliedAction
from clawback.cases.summary import summarize
from clawback.cases.touches import Mark, touch_hash, touched_values
from clawback.cases.undo_plan import UndoScope
from clawback.garbage_collection import without_garbage_collection
from clawback.identity.local import local_identity
from clawback.local import environment_with
from clawback.model.identity import Actor
from clawback.model.messages import Destination, Target
from clawback.model.mode import Mode
from clawback.reports.report_reader import read_report
from clawback.temporal import names
from clawback.temporal.case_gateway import CaseGateway
from clawback.temporal.case_index import CaseFilter, case_attributes
from clawback.temporal.undo_gateway import UndoGateway

BENCH = Actor(identity=local_identity())
MESSAGES = 3
"""Messages of each case."""
_STARTED_AT_ONCE = 64
_LONGEST_FILL = 600.0
_RUN_COMMAND = "from clawback.cli import main; main()"


def plan_of(number: int) -> CasePlan:
    """Build the plan of one case, which moves its messages and blocks their sender."""
    block = BlockSender(pattern=f"s{number}@bad.test")
    return CasePlan(
        rule=f"rule_{number % 10}",
        version="v1",
        mode=Mode.ENFORCE,
        group={"sender": str(number)},
        actions=(Move(destination=Destination.RECOVERABLE), block),
    )


def match_of(number: int, now: datetime) -> Match:
    """Build the match with all messages of one case."""
    targets = tuple(
        Target(
            id=f"4{number:08}{copy}-2026-11-28T10:00:00-{number}",
            message_id=f"<{number}.{copy}@bad.test>",
            at=now,
            verdict="MALICIOUS",
            sender=f"s{number}@bad.test",
            mailbox=f"user{number}.{copy}@corp.test",
        )
        for copy in range(MESSAGES)
    )
    return Match(key=f"message/{number}", at=now, seen_at=now, targets=targets)


def snapshot_of(number: int, match: Match, uid: str) -> CaseSnapshot:
    """Build the snapshot of a case that has acted and is settled."""
    plan, now = plan_of(number), match.at
    targets = {target.id: target for target in match.targets}
    block = plan.actions[1].subjects(match.targets[:1])
    return CaseSnapshot(
        uid=uid,
        state=CaseState.SETTLED,
        opened_at=now,
        last_match_at=now,
        events={match.key: now},
        targets=targets,
        outcomes=(dict.fromkeys(targets, "moved"), dict.fromkeys(block, "created")),
        applied=(
            AppliedAction(index=0, at=now, subjects=tuple(targets)),
            AppliedAction(index=1, at=now, subjects=block),
        ),
    )


async def fill(cases: CaseGateway, count: int, acting: int) -> None:
    """Start cases that no worker takes: the last `acting` still act, the others are settled."""
    now, slots = datetime.now(UTC), asyncio.Semaphore(_STARTED_AT_ONCE)

    async def start(number: int) -> None:
        match = match_of(number, now)
        async with slots:
            if number >= count - acting:
                await cases.signal_matches(plan_of(number), [match], CaseTiming())
            else:
                await _start_settled(cases, number, match)

    await asyncio.gather(*map(start, range(count)))
    await eventually(lambda: _has(cases, count), patience=_LONGEST_FILL)


async def _start_settled(cases: CaseGateway, number: int, match: Match) -> None:
    """Start a case as one looks that has come to rest."""
    plan, key = plan_of(number), cases.index_keys[0]
    snapshot = snapshot_of(number, match, f"{plan.case_id}/{'0' * 36}")
    found = case_attributes(plan, match.seen_at, (match,), key)
    hashes = {touch_hash(key, *one) for target in match.targets for one in touched_values(target)}
    state = SearchAttributeKey.for_keyword(names.STATE_ATTRIBUTE)
    touches = SearchAttributeKey.for_keyword_list(names.TOUCHES_ATTRIBUTE)
    await cases.client.start_workflow(
        names.CASE,
        CaseStart(plan=plan, snapshot=snapshot),
        id=plan.case_id,
        task_queue=names.WORKFLOW_QUEUE,
        memo={names.SUMMARY_MEMO: summarize(plan, CaseTiming(), snapshot)},
        search_attributes=found.updated(
            SearchAttributePair(state, CaseState.SETTLED.value),
            SearchAttributePair(touches, [*hashes, Mark.ACTED.value]),
        ),
    )


async def _has(cases: CaseGateway, count: int) -> bool | None:
    return await cases.count() >= count or None


def readings(
    cases: CaseGateway, undo: UndoGateway, count: int
) -> dict[str, Callable[[], Awaitable[Sized]]]:
    """Every list, filter and plan that is measured."""
    one = match_of(count // 2, datetime.now(UTC)).targets[0]
    hour = datetime.now(UTC) - timedelta(hours=1)

    def listed(limit: int = 50, **wanted: Any) -> Callable[[], Awaitable[Sized]]:
        return lambda: cases.find_held_first(CaseFilter(**wanted), limit)

    def planned(scope: UndoScope, **wanted: Any) -> Callable[[], Awaitable[Sized]]:
        async def plan() -> Sized:
            return (await undo.find(scope, **wanted)).candidates

        return plan

    async def found_by_digits() -> Sized:
        return [await find_case_id(cases.client, plan_of(count // 2).case_id[-16:-4])]

    async def reported() -> Sized:
        audit = Path("no-audit.jsonl")
        report = await read_report(cases.client, audit, hour, datetime.now(UTC))
        return range(int(report.number("cases_opened").value or 0))

    everything = UndoScope(actor=BENCH, since=hour)
    return {
        "list, 50 cases": listed(),
        "list, all cases": listed(limit=count),
        "list --state settled": listed(state=CaseState.SETTLED),
        "list --rule": listed(rule="rule_1"),
        "list --sender": listed(sender=one.sender),
        "list --mailbox": listed(mailbox=one.mailbox),
        "list --message": listed(message=one.message_id),
        "case by 12 digits": found_by_digits,
        "report --since 1h": reported,
        "undo case": planned(UndoScope(actor=BENCH), case=plan_of(count // 2).case_id),
        "undo message": planned(UndoScope(actor=BENCH, messages=(one.id,))),
        "undo rule": planned(UndoScope(actor=BENCH), rule="rule_1"),
        "undo --since 1h": planned(everything),
    }


def commands(server: Server, count: int) -> dict[str, Callable[[], Awaitable[Sized]]]:
    """The slowest readings again, as commands: with the start of a process, in both forms."""
    environment = environment_with(server.environment, without=FOREIGN)

    def run(*words: str) -> Callable[[], Awaitable[Sized]]:
        async def read() -> Sized:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _RUN_COMMAND, *words),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            printed, _ = await process.communicate()
            if process.returncode:
                raise RuntimeError(f"clawback {' '.join(words)}: exit code {process.returncode}")
            return printed.splitlines()

        return read

    listed = ("case", "list", "--limit", str(count))
    undone = ("undo", "--since", "1h", "--dry-run")
    return {
        f"clawback {' '.join(words)}": run(*words)
        for words in (listed, (*listed, "--json"), undone, (*undone, "--json"))
    }


async def _warm_up(server: Server) -> None:
    """Run a command once, which compiles the modules as an installation does."""
    await next(iter(commands(server, 1).values()))()


async def measure(count: int, acting: int, rounds: int) -> dict[str, dict[str, float]]:
    """Fill a server of its own, then read; the found cases and the slowest seconds of each."""
    async with temporal() as server:
        cases, undo = CaseGateway(server.client), UndoGateway(server.client)
        began = monotonic()
        await fill(cases, count, acting)
        typer.echo(f"{count:,} cases started in {monotonic() - began:.0f} s", err=True)

        figures: dict[str, dict[str, float]] = {}
        every = {**readings(cases, undo, count), **commands(server, count)}
        await _warm_up(server)
        for name, read in every.items():
            seconds = []
            for _ in range(rounds):
                with without_garbage_collection():  # as the commands do
                    began = monotonic()
                    found = await read()
                    seconds.append(monotonic() - began)
            figures[name] = {"found": len(found), "slowest_seconds": max(seconds)}
            typer.echo(f"  {name}: {len(found):,} in {max(seconds):.2f} s", err=True)

        return figures


async def lists(
    *,
    cases: Annotated[int, typer.Option(help="How many cases there are.", min=1)] = 10_000,
    acting: Annotated[int, typer.Option(help="How many of them still act.", min=0)] = 2000,
    rounds: Annotated[int, typer.Option(help="How often each is read.", min=1)] = 3,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure lists, filters and undo plans over many cases, without a worker."""
    figures = await measure(cases, min(acting, cases), rounds)
    table = Table("reading", "cases found", "slowest s")
    for name, row in figures.items():
        table.add_row(name, f"{row['found']:,}", f"{row['slowest_seconds']:.2f}")

    console = wide_console()
    console.print(table)
    console.print(
        f"· {cases:,} cases of {MESSAGES} messages, {acting:,} still act; no worker runs."
    )
    write_json({"environment": environment_info(), "readings": figures}, json)
