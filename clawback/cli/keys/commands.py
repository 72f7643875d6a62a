"""`clawback keys list|new|add|use|remove`: one key file, and the steps of a rotation.

No command prints a key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.settings import load_settings
from clawback.temporal.client import read_keys
from clawback.temporal.installation_keys import key_file
from clawback.temporal.key_needs import find_needs
from clawback.temporal.key_ring import (
    Key,
    KeyRing,
    KeyUse,
    PayloadKeyError,
    create_key_file,
    read_key_file,
    replace_key_file,
)

KeyId = Annotated[str, typer.Argument(help="Id of the key, as `clawback keys list` prints it.")]
File = Annotated[
    Path | None,
    typer.Option("--file", help="Key file; default the one of this installation."),
]


def list_keys(*, file: File = None, as_json: AsJson = False) -> None:
    """List the ids of the keys. The current key encrypts; all keys decrypt."""
    ring = _load(file)
    if as_json:
        print_json([{"id": key.id, "current": key == ring.current} for key in ring])
        return
    for key in ring:
        print_text(f"{key.id} (current)" if key == ring.current else key.id)


def new(
    file: Annotated[Path, typer.Argument(help="File to create; it must not exist.")],
) -> None:
    """Create a key file with one key, which only you can read."""
    try:
        ring = create_key_file(file)
    except FileExistsError as error:
        message = f"{file} exists; `clawback keys add --file {file}` adds a key to it"
        raise Failure(message, ExitCode.USAGE) from error
    print_text(f"{file} holds the new key {ring.current.id}; keep a copy in a safe place")


def add(*, file: File = None) -> None:
    """Add a new key, which only decrypts until you make it current.

    Workers read it within seconds; then run `clawback keys use`.
    """
    key = Key.generate()
    path = _change(file, lambda ring: ring.with_key(key))
    print_text(
        f"added key {key.id} to {path}; once every worker has this file, run "
        f"`clawback keys use {key.id}`"
    )


def use(key: KeyId, *, file: File = None) -> None:
    """Make a key current. Workers use it within seconds."""
    path = _change(file, lambda ring: ring.with_current(key))
    print_text(f"key {key} of {path} is current; workers use it within seconds")


def remove(
    key: KeyId,
    *,
    file: File = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Remove it although workflows may need it, or cannot be read."
        ),
    ] = False,
) -> None:
    """Remove a key. What was encrypted with it can no longer be read.

    Refused while the namespace keeps a workflow from before the rotation.
    """
    if not force:
        _check_needs(_load(file), key)
    path = _change(file, lambda ring: ring.without(key))
    print_text(f"removed key {key} from {path}")


def _check_needs(ring: KeyRing, key: str) -> None:
    try:
        ring.without(key)
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error

    note = ring.notes.get(key)
    if note is not None and note.use is KeyUse.ADDED:
        return

    needs = call_temporal(lambda client: find_needs(client, note)).describe()
    if needs is not None:
        why = "is needed by" if note else "may be needed by"
        raise Failure(f"key {key} {why} {needs}; --force removes it all the same", ExitCode.NO)


def _load(file: Path | None) -> KeyRing:
    try:
        ring = read_key_file(file) if file else read_keys(load_settings())
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error

    if ring is None:
        message = "no key is set; create a file with `clawback keys new FILE`"
        raise Failure(f"{message} and set CLAWBACK_ENCRYPTION_KEY_FILE", ExitCode.NO)
    return ring


def _change(file: Path | None, change: Callable[[KeyRing], KeyRing]) -> Path:
    path = file or key_file(load_settings())
    if path is None:
        raise Failure(
            "no key file is set; name one with --file or CLAWBACK_ENCRYPTION_KEY_FILE",
            ExitCode.USAGE,
        )

    try:
        replace_key_file(path, change(read_key_file(path)))
    except PayloadKeyError as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    return path
