"""Rounds of rehearsals in which everything fails at random, each judged by ledger and audit."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.report import environment_info, write_json
from bench.stage import RULES
from clawback.rehearsal import Rehearsal, RehearsalResult, rehearse
from clawback.rehearsal.summary import format_text, to_json

_FAULTS = "429=0.05,500=0.05,timeout=0.02:5,reset=0.02,lost_answer=0.05"


async def run_round(plan: Rehearsal) -> RehearsalResult:
    """Run one rehearsal; its folder stays if something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="clawback-chaos-"))
    result = await rehearse(plan, folder)
    if result.is_good:
        shutil.rmtree(folder)
    else:
        typer.echo(f"databases, logs and audit are in {folder}", err=True)
        typer.echo("\n".join(format_text(result)), err=True)
    return result


async def chaos(  # noqa: PLR0913 - the options of a command
    *,
    rounds: Annotated[int, typer.Option(help="How many rehearsals.", min=1)] = 10,
    corpus: Annotated[
        list[Path] | None, typer.Option(help="Corpus, repeatable. Default: synthetic campaigns.")
    ] = None,
    campaigns: Annotated[int, typer.Option(help="Synthetic campaigns.", min=0)] = 200,
    pace: Annotated[float, typer.Option(help="Records per second.", min=0.1)] = 10.0,
    workers: Annotated[int, typer.Option(help="How many workers run.", min=1)] = 2,
    kill_worker: Annotated[int, typer.Option(help="Worker kills a round.", min=0)] = 10,
    kill_server: Annotated[int, typer.Option(help="Server kills a round.", min=0)] = 2,
    freeze_worker: Annotated[int, typer.Option(help="Worker freezes a round.", min=0)] = 2,
    faults: Annotated[str, typer.Option(help="Faults of the API.")] = _FAULTS,
    guard: Annotated[bool, typer.Option(help="Let budgets hold cases.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the first round.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Kill, freeze and fail everything at random; exit code 1 if a ledger is not clean."""
    results: list[dict[str, Any]] = []
    for number in range(seed, seed + rounds):
        plan = Rehearsal(
            rules=RULES,
            corpora=tuple(corpus or ()),
            campaigns=0 if corpus else campaigns,
            pace=pace,
            faults=faults,
            workers=workers,
            kills=kill_worker,
            server_kills=kill_server,
            freezes=freeze_worker,
            seed=number,
            guard=guard,
        )
        results.append(to_json(await run_round(plan)))
        typer.echo(_describe(number, results[-1]))

    write_json({**environment_info(), "rounds": results}, json)
    if not all(result["good"] for result in results):
        raise typer.Exit(1)


def _describe(seed: int, result: dict[str, Any]) -> str:
    verdict = "clean" if result["good"] else "NOT CLEAN"
    return (
        f"seed {seed}: {verdict}; {result['moved']:,} moved, {result['cases'].get('held', 0):,} "
        f"held in {result['seconds']} s, longest pause {result['longest_pause']} s; "
        f"{result['kills']} worker kills, {result['server_kills']} server kills, "
        f"{result['freezes']} freezes, {sum(result['faults'].values()):,} faults"
    )
