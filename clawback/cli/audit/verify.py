"""`clawback audit verify`: check the hash chain of an audit file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clawback.audit import Verified
from clawback.audit import verify as verify_audit
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_text
from clawback.settings import load_settings


def verify(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Audit file; default the one of this installation.", show_default=False
        ),
    ] = None,
    *,
    head: Annotated[
        str | None,
        typer.Option(help="Head that an earlier run printed; its line must still exist."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that no line was changed, removed, inserted or moved.

    Exit code 1 if one was.
    """
    path = file or load_settings().audit_file
    found = verify_audit(path, head)
    is_intact = isinstance(found, Verified)

    if as_json:
        print_json({"intact": is_intact, **asdict(found)})
    elif isinstance(found, Verified):
        span = f"{found.lines} records, {found.first} to {found.last}, in {found.files} files"
        torn = "; the last line is incomplete" if found.torn else ""
        print_text(f"{path} is intact: {span}; head {found.head}{torn}")
    else:
        print_text(f"{found.file} is broken at line {found.line}: {found.reason}")

    return ExitCode.OK if is_intact else ExitCode.NO
