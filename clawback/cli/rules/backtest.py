"""`clawback rules backtest`: replay history against the rules, or two versions of them."""

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

from clawback.backtest import Backtest, NoSuchVersion, Result, open_version, summarize
from clawback.backtest.corpus_history import corpus_events, size_of
from clawback.backtest.match_list import Reviewed
from clawback.cli.cloudflare_access import api_errors, open_history_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_status, print_text
from clawback.cli.rule_folders import find_folder, load_folder
from clawback.cli.rules.backtest_output import print_result, result_data
from clawback.cli.rules.reviewed_file import accept_matches, read_reviewed_file
from clawback.garbage_collection import without_garbage_collection
from clawback.model.durations import parse_duration
from clawback.rules import RuleSet
from clawback.settings import load_settings
from clawback.simulator.corpus import CorpusError

Top = Annotated[
    int,
    typer.Option(
        min=0, max=100_000, help="Number of matches of each rule, senders and cases to list."
    ),
]


def backtest(  # noqa: PLR0913 - one parameter for each option
    *,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(help="Corpus, .jsonl or .jsonl.gz; repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Read this much history of the account, such as 7d.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Folder of rules, default CLAWBACK_RULES.", show_default=False),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Version to compare with: a folder, or a git revision of this one."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write an HTML report to this file.")
    ] = None,
    detections: Annotated[
        int, typer.Option(min=0, help="With --since: maximum number of requests for /detections.")
    ] = 1000,
    baseline: Annotated[
        Path | None,
        typer.Option(help="File of reviewed matches; list only new ones, exit with 1 if any."),
    ] = None,
    accept: Annotated[
        Path | None,
        typer.Option(help="The same, and add what is new to the file, which may be missing."),
    ] = None,
    top: Top = 10,
    as_json: AsJson = False,
) -> int:
    """Replay history: what rules would match and do.

    Shows matches, cases and actions by rule, and the difference from another version.
    Changes nothing. Exit code 0: done. 1: the rules, the other version or a corpus cannot be used,
    or a match is not in the baseline. 2: usage error. 3: the API is unavailable. 4: it refused.
    """
    if bool(corpus) == (since is not None):
        raise Failure(
            "give the history: --corpus FILE (repeatable), or --since 7d for the account",
            ExitCode.USAGE,
        )

    folder = find_folder(rules)[0]
    if html is not None and not html.resolve().parent.is_dir():
        raise Failure(f"--html {html}: no such folder: {html.parent}", ExitCode.USAGE)

    reviewed = _reviewed(baseline, accept)
    span = _span(since) if since is not None else None
    run = Backtest(_versions(folder, against))
    with without_garbage_collection():
        if span is not None:
            asyncio.run(_read_account(run, span, detections))
        else:
            _read_corpora(run, corpus or [])

        if not run.traffic.events:
            raise Failure("the history has no event", ExitCode.NO)

        result = summarize(run, top=top, reviewed=reviewed)

    if html is not None:
        _write_page(result, html, against)

    _print(result, html, top, as_json=as_json)
    new = [one for found in result.matches for one in found.matches]
    if accept is not None:
        accept_matches(accept, reviewed, new)
        print_status(f"{len(new):,} new; {accept} has every match now")
    return ExitCode.NO if baseline is not None and new else ExitCode.OK


def _reviewed(baseline: Path | None, accept: Path | None) -> Reviewed:
    if baseline is not None and accept is not None:
        raise Failure("give --baseline or --accept, not both", ExitCode.USAGE)
    if accept is not None:
        return read_reviewed_file("--accept", accept, may_be_missing=True)
    if baseline is not None:
        return read_reviewed_file("--baseline", baseline, may_be_missing=False)
    return {}


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"--since: {error}", ExitCode.USAGE) from None


def _versions(folder: Path, against: str | None) -> list[RuleSet]:
    versions = [load_folder(folder)]
    if against is not None:
        try:
            with ExitStack() as stack:
                other = stack.enter_context(open_version(against, folder))
                versions.append(load_folder(other, is_old=True))
        except NoSuchVersion as error:
            raise Failure(f"--against: {error}", ExitCode.USAGE) from None

    return versions


def _read_corpora(run: Backtest, paths: Sequence[Path]) -> None:
    try:
        with _progress("Replaying", size_of(paths)) as tell:
            for event, detections in corpus_events(paths, datetime.now(UTC), tell):
                run.take(event, detections)
    except CorpusError as error:
        raise Failure(str(error), ExitCode.NO) from None


async def _read_account(run: Backtest, span: timedelta, detections: int) -> None:
    from clawback.backtest.api_history import Feed  # noqa: PLC0415 - a corpus needs no client

    now = datetime.now(UTC)
    with _progress("Reading the account", None) as tell, api_errors():
        async with open_history_api(load_settings()) as api:
            await Feed(api, now - span, now, detections, lambda _, count: tell(count)).run(run)


def _print(result: Result, html: Path | None, top: int, *, as_json: bool) -> None:
    if as_json:
        print_json(result_data(result))
        return

    print_result(result, top)
    report = f"The report is in {html}." if html else "For a report with charts: --html FILE"
    print_text(f"\n{report}")


def _write_page(result: Result, path: Path, against: str | None) -> None:
    from clawback.backtest.html_report import write_page  # noqa: PLC0415 - only for --html

    path.write_text(write_page(result, against), encoding="utf-8")


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
