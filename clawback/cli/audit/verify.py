"""`clawback audit verify`: check the chain and the signatures of an audit file."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clawback.audit import Head, Verified, audit_files, default_key_file
from clawback.audit import verify as verify_audit
from clawback.cli.audit.key import KeyFile, load_keys
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.model.texts import plural
from clawback.settings import load_settings

_NOTICEABLE = 20 * 1024 * 1024
"""Files that take more than some seconds."""

AuditFile = Annotated[
    Path | None,
    typer.Argument(help="Audit file; default the one of this installation.", show_default=False),
]


def verify(  # noqa: PLR0913 - the options of a command
    file: AuditFile = None,
    *,
    key: KeyFile = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Published head (SEQ:HASH); its line must still exist. Repeatable."),
    ] = None,
    chain_only: Annotated[
        bool, typer.Option("--chain-only", help="Check no signatures: without a key.")
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Accept that older files were moved away.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check that no line was changed, removed or added.

    Checks the chain of hashes, and the signature of every line. Exit code 1 if a line is not as it
    was written.
    """
    if chain_only and key is not None:
        raise Failure("give either --key or --chain-only", ExitCode.USAGE)

    path = file or load_settings().audit_file
    heads = [_parse_head(text) for text in head or ()]
    size = sum(one.stat().st_size for one in audit_files(path) or [path])
    keys = None if chain_only else load_keys(key or _find_key(path))
    with show_progress("Verifying") if size > _NOTICEABLE else nullcontext():
        found = verify_audit(path, keys, heads, archived=archived)
    is_intact = isinstance(found, Verified)

    if as_json:
        shown = {"head": str(found.head)} if isinstance(found, Verified) else {}
        print_json({"intact": is_intact, **asdict(found), **shown})
    elif isinstance(found, Verified):
        print_text(f"{path} is intact: {_describe(found, is_signed=not chain_only)}")
    else:
        print_text(f"{found.file} is broken at line {found.line}: {found.reason}")

    return ExitCode.OK if is_intact else ExitCode.NO


def _find_key(path: Path) -> Path:
    beside = default_key_file(path)
    return beside if beside.exists() else load_settings().audit_key


def _describe(found: Verified, *, is_signed: bool) -> str:
    span = f"{plural(found.lines, 'record')}, {found.first} to {found.last}"
    span += f", in {plural(found.files, 'file')}"
    signed = f"signed by {', '.join(found.keys)}" if is_signed else "signatures not checked"
    torn = "; the last line is incomplete" if found.torn else ""
    return f"{span}; {signed}; head {found.head}{torn}"


def _parse_head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as error:
        raise Failure(f"--head: {error}", ExitCode.USAGE) from None
