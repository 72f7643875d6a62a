"""`clawback report`: what clawback did in a period, as numbers with their formulas."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from clawback.cli.arguments import parse_time_argument
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import (
    AsJson,
    print_json,
    print_status,
    print_table,
    print_text,
    show_progress,
)
from clawback.cli.temporal_access import call_temporal
from clawback.local.worker_requests import read_requests_used
from clawback.model.texts import printable
from clawback.reports.report import Measure, Report, RuleNumbers, format_precision
from clawback.reports.report_page import write_report_page
from clawback.reports.report_reader import read_report
from clawback.settings import load_settings

_NUMBERS = ("what", "value", "of", "formula")
_RULES = ("rule", "cases", "acted", "denied", "expired", "undone", "decided", "right", "precision")
_PEOPLE = ("person", "approved", "denied")


def report(
    *,
    since: Annotated[
        str, typer.Option("--since", help="Begin of the period: a time, or an age such as 7d.")
    ] = "7d",
    until: Annotated[
        str, typer.Option("--until", help="End of the period; default now.", show_default=False)
    ] = "",
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Also write it to this file, as one printable page."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Report what clawback did in a period, with formulas.

    Most numbers are about the cases that opened in the period, as Temporal keeps them. The audit of
    this machine tells how long containment took. What nobody knows is `unknown`.
    """
    start = parse_time_argument(since, "--since")
    end = parse_time_argument(until, "--until") if until else datetime.now(UTC)
    if start >= end:
        raise Failure("the period is empty: --since must be before --until", ExitCode.USAGE)

    settings = load_settings()
    with show_progress("Reading cases and the audit"):
        requests = read_requests_used(settings)
        found = call_temporal(
            lambda client: read_report(client, settings.audit_file, start, end, requests)
        )

    if html is not None:
        _write_page(html, found)
    if as_json:
        print_json(found.as_json())
    else:
        _print_report(found)
    return ExitCode.OK


def _write_page(file: Path, found: Report) -> None:
    try:
        file.write_text(write_report_page(found), encoding="utf-8")
    except OSError as error:
        message = f"--html: cannot write {file}: {error.strerror or error}"
        raise Failure(message, ExitCode.ENVIRONMENT) from error
    print_status(f"Written to {file}.")


def _print_report(found: Report) -> None:
    print_text(f"From {found.since:%F %H:%M} to {found.until:%F %H:%M} UTC\n")
    print_table(_NUMBERS, [_number_row(one) for one in found.numbers], drop_first=("formula",))
    if found.rules:
        print_text("")
        print_table(_RULES, [_rule_row(one) for one in found.rules])
    if found.people:
        print_text("")
        people = [
            (printable(one.person), f"{one.approved:,}", f"{one.denied:,}") for one in found.people
        ]
        print_table(_PEOPLE, people)
    for note in found.notes:
        print_status(f"Note: {note}.")


def _number_row(one: Measure) -> tuple[str, ...]:
    note = f" ({one.note})" if one.note else ""
    return (one.title, one.text, f"{one.count:,}", f"{one.formula}{note}")


def _rule_row(one: RuleNumbers) -> tuple[str, ...]:
    counts = (one.cases, one.acted, one.denied, one.expired, one.undone, one.decided, one.right)
    return (one.rule, *(f"{count:,}" for count in counts), format_precision(one.precision))
