"""`clawback audit search`: find records of the audit."""

import sys
from collections import deque
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated

import orjson
import typer

from clawback.audit import AuditFilter, AuditSearch, FoundRecord, find_cases
from clawback.cli.arguments import parse_time_argument
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_error, print_status, print_table, print_text
from clawback.model.audit_record import RecordKind
from clawback.model.texts import printable
from clawback.settings import load_settings

_COLUMNS = ("line", "at", "record", "rule", "action", "outcome", "target", "by", "detail", "case")
_DROP_FIRST = ("case", "line", "by", "detail", "rule")
_ROWS_AT_ONCE = 500


def search(  # noqa: PLR0913 - the options of a command
    text: Annotated[str, typer.Argument(help="Words that the record must have, in any case.")] = "",
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Audit file; default that of this installation.")
    ] = None,
    case: Annotated[
        str, typer.Option(help="Id of the case, or four or more digits of its hash.")
    ] = "",
    rule: Annotated[str, typer.Option(help="Name of the rule.")] = "",
    message: Annotated[str, typer.Option(help="Id of a message, report or submission.")] = "",
    actor: Annotated[str, typer.Option(help="Who decided, or `clawback`.")] = "",
    action: Annotated[str, typer.Option(help="Name of the action, such as move.")] = "",
    outcome: Annotated[str, typer.Option(help="Outcome, or its first word (failed).")] = "",
    record: Annotated[str, typer.Option(help="Kind of record, such as acted.")] = "",
    since: Annotated[str, typer.Option(help="Only from this time or age on, such as 6h.")] = "",
    until: Annotated[str, typer.Option(help="Only before this time or age.")] = "",
    limit: Annotated[
        int, typer.Option(min=0, help="Show the newest so many; 0 shows all, oldest first.")
    ] = 100,
    as_json: AsJson = False,
) -> int:
    """Find records of the audit.

    Exit code 1 if no record at all has the case, rule or message that you name.

    Reads the rotated files too, in memory that does not grow with them. It verifies nothing;
    `clawback audit verify` does.
    """
    if record and record not in set(RecordKind):
        raise Failure(
            f"--record: {record!r} is none of {', '.join(sorted(RecordKind))}", ExitCode.USAGE
        )

    path = file or load_settings().audit_file
    wanted = AuditFilter(
        case=_find_case(path, case) if case else "",
        rule=rule,
        actor=actor,
        message=message,
        action=action,
        outcome=outcome,
        kind=record,
        text=text,
        since=parse_time_argument(since, "--since") if since else None,
        until=parse_time_argument(until, "--until") if until else None,
    )
    found = AuditSearch(path, wanted)
    shown = deque(found, maxlen=limit) if limit else found
    if as_json:
        _print_json(shown)
    else:
        _print_rows(shown)

    if not found.admitted:
        _require_known(path, wanted)
    if limit and found.admitted > limit:
        print_status(f"The newest {limit:,} of {found.admitted:,}; --limit 0 shows all.")
    if found.damaged:
        print_error(f"{found.damaged:,} lines cannot be read; `clawback audit verify` says more")
    return ExitCode.OK


def _find_case(path: Path, text: str) -> str:
    """Find the id of a case among the records, from as much of it as `case show` takes.

    Raises:
        Failure: no case or several cases fit.

    """
    from clawback.case_files.case_ids import (  # noqa: PLC0415 - it imports the client of Temporal
        CaseIdError,
        CaseName,
        require_one,
    )

    try:
        name = CaseName.parse(text)
        return (
            name.id
            if name.is_whole
            else require_one(name, find_cases(path, name.digits, name.rule))
        )
    except CaseIdError as error:
        raise Failure(f"--case: {error}", ExitCode.NO) from None


def _require_known(path: Path, wanted: AuditFilter) -> None:
    """Check that some record has what was named, where a search found nothing.

    Raises:
        Failure: none has it.

    """
    for option, value, alone in (
        ("--case", wanted.case, AuditFilter(case=wanted.case)),
        ("--rule", wanted.rule, AuditFilter(rule=wanted.rule)),
        ("--message", wanted.message, AuditFilter(message=wanted.message)),
    ):
        if value and next(iter(AuditSearch(path, alone)), None) is None:
            raise Failure(f"{option}: no record in {path} has {value!r}", ExitCode.NO)


def _print_json(found: Iterable[FoundRecord]) -> None:
    """Print one JSON array, element by element: it may be larger than the memory."""
    before = b"[\n"
    for one in found:
        shown = {"sequence": one.sequence, **one.record.model_dump(mode="json")}
        sys.stdout.buffer.write(before + orjson.dumps(shown))
        before = b",\n"
    sys.stdout.buffer.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def _print_rows(found: Iterable[FoundRecord]) -> None:
    rows = map(_row, found)
    if not (some := list(islice(rows, _ROWS_AT_ONCE))):
        print_text("No such record.")
    while some:
        print_table(_COLUMNS, some, drop_first=_DROP_FIRST)
        some = list(islice(rows, _ROWS_AT_ONCE))


def _row(found: FoundRecord) -> tuple[str, ...]:
    record = found.record
    texts = (
        record.kind,
        record.rule,
        record.action,
        record.outcome,
        record.target or record.event,
        record.actor,
        record.detail,
        record.case,
    )
    cells = (" ".join(printable(text or "").split()) for text in texts)
    return (str(found.sequence), f"{record.at:%Y-%m-%d %H:%M:%S}", *cells)
