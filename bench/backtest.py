"""Measures `clawback rules backtest` on a long history with the shipped rules and a report.

The reference is a process that only parses the same file. Both run as separate processes, in turns.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Annotated

import typer
from rich.table import Table

from bench.history import write_history
from bench.report import environment_info, wide_console, write_json
from bench.rules import CORPUS
from bench.stage import FOREIGN, RULES
from bench.usage import Watch
from clawback.local import environment_with

BACKTEST, PARSING = "backtest", "parsing"
GOAL = 100_000
_MAX_SECONDS = 8.0
_MIB = 1 << 20
_COMMAND = "from clawback.cli import main; main()"
_WARM_UP = ("-c", _COMMAND, "rules", "backtest", "--help")
"""Compiles the modules, as an installation does."""


@dataclass(frozen=True)
class Turn:
    """One process from start to end: wall seconds, CPU seconds, peak memory in MiB."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


async def run(command: Sequence[str]) -> Turn:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message quotes its stderr.

    """
    started = monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment_with({}, without=FOREIGN),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with Watch({"own": process.pid}) as watch:
        _, said = await process.communicate()
        seconds = monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said.decode(errors='replace')[-2000:]}")
    return Turn(seconds, watch.usage("own").cpu, watch.usage("own").peak / _MIB)


def medians(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Turn]:
    """The median of each figure over the rounds."""
    return {
        name: Turn(
            *(
                median(values)
                for values in zip(
                    *((one.seconds, one.cpu_seconds, one.peak_mib) for one in each), strict=True
                )
            )
        )
        for name, each in turns.items()
    }


def table(found: Mapping[str, Turn], events: int) -> Table:
    """All figures; the last column is the ratio to parsing."""
    shown = Table(title=None, box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(
        ("", "time s", "CPU s", "peak MiB", "events/s", "CPU µs/event", "to parsing")
    ):
        shown.add_column(heading, justify="left" if not number else "right")
    for name, one in found.items():
        figures = (
            f"{one.seconds:.1f}",
            f"{one.cpu_seconds:.1f}",
            f"{one.peak_mib:.0f}",
            f"{events / one.seconds:,.0f}",
        )
        shown.add_row(
            name,
            *figures,
            f"{one.cpu_seconds / events * 1e6:,.0f}",
            f"{one.cpu_seconds / found[PARSING].cpu_seconds:.2f}",
        )
    return shown


async def backtest(
    *,
    events: Annotated[int, typer.Option(help="How many messages of history.", min=1)] = GOAL,
    rounds: Annotated[
        int, typer.Option(help="Rounds of both; the table shows medians.", min=1)
    ] = 3,
    corpus: Annotated[
        Path,
        typer.Option(
            help="Corpus (.jsonl.gz) to repeat; the demo corpus if the file does not exist."
        ),
    ] = CORPUS,
    json: Annotated[Path | None, typer.Option(help="Also write all figures to this file.")] = None,
) -> None:
    """Measure a backtest of the shipped rules over a long history."""
    with tempfile.TemporaryDirectory(prefix="clawback-bench-") as folder:
        history = Path(folder) / "history.jsonl.gz"
        typer.echo(f"writing {events:,} events", err=True)
        write_history(corpus, events, history)
        page = str(Path(folder) / "report.html")
        replay = [
            "-c",
            _COMMAND,
            "rules",
            "backtest",
            "--corpus",
            str(history),
            "--rules",
            str(RULES),
            "--html",
            page,
        ]
        await run([sys.executable, *_WARM_UP])
        turns: dict[str, list[Turn]] = {BACKTEST: [], PARSING: []}
        for number in range(rounds):
            typer.echo(f"round {number + 1} of {rounds}", err=True)
            turns[BACKTEST].append(await run([sys.executable, *replay]))
            turns[PARSING].append(await run([sys.executable, "-m", "bench.reading", str(history)]))
    found = medians(turns)
    console = wide_console()
    console.print(table(found, events))
    if events == GOAL:
        seconds = found[BACKTEST].seconds
        verdict = "met   " if seconds <= _MAX_SECONDS else "MISSED"
        console.print(f"{verdict} {GOAL:,} events: {seconds:.1f} s (at most {_MAX_SECONDS:g})")
    about = {
        "events": events,
        "corpus": corpus.name if corpus.exists() else "demo",
        "rounds": rounds,
    }
    every = {name: [asdict(one) for one in each] for name, each in turns.items()}
    write_json(
        {
            **environment_info(),
            **about,
            "medians": {name: asdict(one) for name, one in found.items()},
            "turns": every,
        },
        json,
    )
