"""`clawback audit key` and `rotate-key`: the keys that sign the audit."""

from pathlib import Path
from typing import Annotated

import typer

from clawback.audit import AuditKeyError, AuditLog, AuditUnavailable, PublicKey, read_public_keys
from clawback.cli.acting import By, Reason, require_role
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_status, print_text
from clawback.model.identity import Role
from clawback.settings import load_settings

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="File of public keys in PEM; default the key beside the audit file, else the one of "
        "this installation.",
        show_default=False,
    ),
]


def key(*, as_json: AsJson = False) -> None:
    """Print the public keys that verify the audit.

    The current one is first. Give them to whoever verifies: they cannot sign.
    """
    keys = load_keys(load_settings().audit_key)
    if as_json:
        print_json([{"id": one.id, "pem": one.pem.decode()} for one in keys])
    else:
        print_text("".join(one.pem.decode() for one in keys).rstrip())


def rotate_key(*, by: By = "", reason: Reason = "") -> None:
    """Replace the key that signs the audit.

    Running workers take the new one with their next record.
    """
    actor = require_role(Role.OPERATOR, "replace the key of the audit", by)
    settings = load_settings()
    log = AuditLog(settings.audit_file, settings.audit_key)
    try:
        new = log.rotate_key(actor, reason)
    except AuditUnavailable as error:
        raise Failure(str(error), ExitCode.ENVIRONMENT) from error

    print_status(f"Key {new.id} signs from now on; give `clawback audit key` to your auditors.")


def load_keys(path: Path) -> tuple[PublicKey, ...]:
    """Read the public keys of a file.

    Raises:
        Failure: there are none.

    """
    try:
        return read_public_keys(path)
    except AuditKeyError as error:
        raise Failure(f"{error}; name a file of public keys with --key", ExitCode.USAGE) from error
