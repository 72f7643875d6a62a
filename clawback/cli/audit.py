"""`clawback audit`: check that an audit file is whole."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clawback.audit import Verified
from clawback.audit import verify as verify_audit
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, say
from clawback.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Check the audit.")


@app.callback()
def audit() -> None:
    """Check the audit."""


@app.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The audit file; the one in the state folder unless told.", show_default=False
        ),
    ] = None,
    *,
    head: Annotated[
        str | None,
        typer.Option(help="A head that was printed before and kept: its line must still be there."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that no line was changed, removed, inserted or moved; exit code 1 if one was."""
    path = file or load_settings().audit_file
    found = verify_audit(path, head)
    whole = isinstance(found, Verified)
    if as_json:
        print_json({"intact": whole, **asdict(found)})
    elif isinstance(found, Verified):
        torn = "; a last line is unfinished" if found.torn else ""
        say(
            f"{path} is intact: {found.lines} records, {found.first} to {found.last}, in {found.files} files; head {found.head}{torn}"
        )
    else:
        say(f"{found.file} is broken at line {found.line}: {found.reason}")
    return ExitCode.OK if whole else ExitCode.NO
