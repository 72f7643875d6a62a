"""Reads a history for commands that replay it: corpus files, or the account."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clawback.backtest import Backtest, NoSuchVersion, open_version
from clawback.backtest.corpus_history import corpus_events, size_of
from clawback.cli.cloudflare_access import api_errors, open_history_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.rule_folders import load_folder
from clawback.model.durations import parse_duration
from clawback.rules import RuleSet
from clawback.settings import load_settings
from clawback.simulator.corpus import CorpusError

Corpus = Annotated[
    list[Path] | None,
    typer.Option(help="Corpus, .jsonl or .jsonl.gz; repeatable."),
]
Since = Annotated[
    str | None, typer.Option(help="Read this much history of the account, such as 7d.")
]
Detections = Annotated[
    int, typer.Option(min=0, help="With --since: maximum number of requests for /detections.")
]


def read_history(
    run: Backtest, corpus: Sequence[Path], since: timedelta | None, detections: int
) -> None:
    """Replay the files or, with `since`, the account.

    Raises:
        Failure: a file or the account cannot be read, or there is no event.

    """
    if since is not None:
        asyncio.run(_read_account(run, since, detections))
    else:
        _read_corpora(run, corpus)

    if not run.traffic.events:
        raise Failure("the history has no event", ExitCode.NO)
    run.finish()


def load_version(option: str, name: str, folder: Path) -> RuleSet:
    """Load another version of a folder of rules: a folder, or a git revision of this one.

    Raises:
        Failure: there is no such version, or it cannot be loaded.

    """
    try:
        with ExitStack() as stack:
            return load_folder(stack.enter_context(open_version(name, folder)), is_old=True)
    except NoSuchVersion as error:
        raise Failure(f"{option}{error}", ExitCode.USAGE) from None


def parse_since(text: str | None) -> timedelta | None:
    """Parse the value of `--since`.

    Raises:
        Failure: it is not a duration.

    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"--since: {error}", ExitCode.USAGE) from None


def _read_corpora(run: Backtest, paths: Sequence[Path]) -> None:
    try:
        with _progress("Replaying", size_of(paths)) as tell:
            for event in corpus_events(paths, datetime.now(UTC), tell):
                run.take(event, None)
    except CorpusError as error:
        raise Failure(str(error), ExitCode.NO) from None


async def _read_account(run: Backtest, span: timedelta, detections: int) -> None:
    from clawback.backtest.api_history import Feed  # noqa: PLC0415 - a corpus needs no client

    now = datetime.now(UTC)
    with _progress("Reading the account", None) as tell, api_errors():
        async with open_history_api(load_settings()) as api:
            await Feed(api, now - span, now, detections, lambda _, count: tell(count)).run(run)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show progress on stderr: a bar on a terminal, one line elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"{what} …")
        yield lambda _: None
        return

    count = TextColumn("{task.percentage:>3.0f} %" if total else "{task.completed:,.0f} records")
    columns = (TextColumn(what), BarColumn(), count, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda amount: progress.advance(task, amount)
