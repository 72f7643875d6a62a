"""`clawback restore`: a backup into an empty state folder, and what happened after it was made."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawback.cli.acting import require_role
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.local.errors import SetupError
from clawback.model.identity import Role
from clawback.settings import load_settings
from clawback.temporal.key_ring import PayloadKeyError

if TYPE_CHECKING:
    from clawback.backup import Aftermath, Restored

_MOST_SHOWN = 20


def restore(
    file: Annotated[Path, typer.Argument(help="File that `clawback backup` wrote.")],
    *,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="File of the keys, from backup --keys.")
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option("--audit", help="Audit that survived: go on from it, and show what is lost."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Empty folder to write the rules to.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Restore a backup into an empty state folder.

    Refused while the installation runs. Everything is verified before anything is written. Start
    with `clawback up`; containment stays stopped until `clawback resume`.
    """
    # It imports most of the program, and its help needs none of that.
    from clawback.backup import BackupError, RestoreOptions  # noqa: PLC0415 - see above
    from clawback.backup import restore as restore_backup  # noqa: PLC0415 - see above

    settings = load_settings()
    actor = require_role(Role.OPERATOR, "restore a backup")
    try:
        with show_progress("Verifying and restoring"):
            done = restore_backup(settings, file, RestoreOptions(keys, audit, rules), actor)
    except (BackupError, SetupError) as error:
        raise Failure(str(error), ExitCode.NO) from error
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error

    if as_json:
        print_json(
            {
                "created_at": done.manifest.created_at,
                "build": done.manifest.build,
                "temporal": done.manifest.temporal,
                "files": {name: str(path) for name, path in done.files.items()},
                "aftermath": None if done.aftermath is None else asdict(done.aftermath),
            }
        )
    else:
        _print_restored(done)
    return ExitCode.OK


def _print_restored(done: "Restored") -> None:
    made = done.manifest
    print_text(f"Restored the backup of {made.created_at:%Y-%m-%d %H:%M:%S} UTC ({made.build}).")
    for name, path in done.files.items():
        if not name.startswith("rule "):
            print_text(f"  {name}: {path}")
    if channels := done.files.get("channels"):
        print_text(f"Set CLAWBACK_CHANNELS={channels}, unless your channels are elsewhere.")
    if done.aftermath is None:
        print_text(
            "What was done after the backup is unknown here: --audit compares with an audit that "
            "survived. At its start the worker adopts blocks and policies that bear its mark."
        )
    else:
        _print_aftermath(done.aftermath)
    print_text(
        "Start with `clawback up`. Containment is stopped: look at `clawback doctor`, then "
        "`clawback resume`."
    )


def _print_aftermath(found: "Aftermath") -> None:
    print_text(
        f"After the backup: {found.records:,} records, {found.total_changes:,} changes of "
        f"{found.cases:,} cases, which the restored database does not know."
    )
    for change in found.changes[:_MOST_SHOWN]:
        words = (change.action, change.target, change.outcome, change.case)
        print_text(f"  {change.at:%Y-%m-%d %H:%M:%S} {' · '.join(filter(None, words))}")
    if found.total_changes > _MOST_SHOWN:
        print_text(f"  … and {found.total_changes - _MOST_SHOWN:,} more; --json has them")
