"""`python -m bench [NAME] [OPTIONS]`: one benchmark, or all the short ones with their defaults."""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from typing import ParamSpec

import typer

from bench.alerts import alerts
from bench.backtest import backtest
from bench.chaos import chaos
from bench.console import console
from bench.correlation import correlation
from bench.decoys import attack
from bench.latency import latency
from bench.lists import lists
from bench.memory import memory
from bench.outbreak import outbreak
from bench.peers import peers
from bench.poisoned import poisoned
from bench.precision import precision
from bench.rules import rules
from bench.soak import soak
from bench.storm import storm
from bench.structure import structure
from clawback.cli.exits import ExitCode, exit_now

P = ParamSpec("P")
LONG = {"precision", "lists", "storm", "decoys", "chaos", "soak", "memory", "console", "alerts"}
"""Benches that run only when they are named."""
COMMANDS: dict[str, Callable[..., Awaitable[None]]] = {
    "latency": latency,
    "outbreak": outbreak,
    "rules": rules,
    "peers": peers,
    "backtest": backtest,
    "poisoned": poisoned,
    "precision": precision,
    "structure": structure,
    "correlation": correlation,
    "lists": lists,
    "storm": storm,
    "decoys": attack,
    "chaos": chaos,
    "soak": soak,
    "memory": memory,
    "console": console,
    "alerts": alerts,
}


def build() -> typer.Typer:
    """Build the program of all benches."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Figures and ratios against peers.",
    )
    for name, bench in COMMANDS.items():
        app.command(name)(_awaited(bench))
    return app


def _awaited(bench: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    @functools.wraps(bench)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        async def run() -> None:
            await bench(*args, **kwargs)

        asyncio.run(run())

    return command


def main(arguments: list[str]) -> int:
    """Run one bench, or all; the exit code."""
    app = build()
    for command in [arguments] if arguments else [[name] for name in COMMANDS if name not in LONG]:
        try:
            app(command, prog_name="python -m bench", standalone_mode=True)
        except SystemExit as ended:
            if ended.code:
                return ended.code if isinstance(ended.code, int) else ExitCode.INTERNAL
    return ExitCode.OK


if __name__ == "__main__":
    exit_now(main(sys.argv[1:]))
