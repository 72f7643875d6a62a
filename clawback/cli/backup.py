"""`clawback backup`: one consistent copy of this installation, made while it runs."""

from pathlib import Path
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.settings import load_settings
from clawback.temporal.key_ring import PayloadKeyError


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, such as clawback.tar.gz.")],
    *,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", help="Write keys and channels to this file; keep it elsewhere."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Back up this installation while it runs.

    The file has the database of the embedded Temporal server, the audit, the rules and the limits.
    Keys are never in it: without them nobody can read its cases.
    """
    # It imports most of the program, and its help needs none of that.
    from clawback.backup import BackupError, write_backup  # noqa: PLC0415 - see above

    settings = load_settings()
    try:
        with show_progress("Copying database and audit"):
            done = write_backup(settings, file, keys)
    except BackupError as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error

    made = done.manifest
    if as_json:
        print_json(
            {
                "file": str(done.file),
                "bytes": done.size,
                "keys": None if done.keys is None else str(done.keys),
                "kept_apart": done.secrets,
                **made.model_dump(mode="json", exclude={"members"}),
                "members": len(made.members),
            }
        )
        return ExitCode.OK

    print_text(f"Wrote {done.file}: {done.size:,} bytes, {len(made.members)} files.")
    if made.temporal is None:
        print_text(
            "The database is not in it: back up the database of your Temporal server as "
            "docs/operations/backup.md says."
        )
    if made.audit_head is not None:
        print_text(f"The audit in it ends at {made.audit_head.head}; keep that elsewhere too.")
    if done.keys is not None:
        print_text(f"Keys and channels are in {done.keys}; keep it apart from the backup.")
    elif done.secrets:
        print_text(f"Keep copies of these apart: {', '.join(done.secrets)}")
    return ExitCode.OK
