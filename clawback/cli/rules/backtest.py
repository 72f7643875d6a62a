"""`clawback rules backtest`: replay history against the rules, or two versions of them."""

from pathlib import Path
from typing import Annotated

import typer

from clawback.backtest import Backtest, Result, summarize
from clawback.backtest.match_list import Reviewed
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_status, print_text
from clawback.cli.rule_folders import find_folder, load_folder
from clawback.cli.rules.backtest_output import print_result, result_data
from clawback.cli.rules.history import (
    Corpus,
    Detections,
    Since,
    load_version,
    parse_since,
    read_history,
)
from clawback.cli.rules.reviewed_file import accept_matches, read_reviewed_file
from clawback.garbage_collection import without_garbage_collection

Top = Annotated[
    int,
    typer.Option(
        min=0, max=100_000, help="Number of matches of each rule, senders and cases to list."
    ),
]


def backtest(  # noqa: PLR0913 - one parameter for each option
    *,
    corpus: Corpus = None,
    since: Since = None,
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
    detections: Detections = 1000,
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
    span = parse_since(since)
    versions = [load_folder(folder)]
    if against is not None:
        versions.append(load_version("--against: ", against, folder))

    run = Backtest(versions)
    with without_garbage_collection():
        read_history(run, corpus or [], span, detections)
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
