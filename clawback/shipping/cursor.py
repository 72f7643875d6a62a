"""The durable cursor of shipping: the last line that the collector has."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from clawback.audit import START, Head


def cursor_file(audit: Path) -> Path:
    """Return the cursor file of an audit."""
    return audit.with_name(f"{audit.name}.shipped")


def read_cursor(audit: Path) -> Head:
    """Read the cursor of an audit; one that is missing or damaged starts from the beginning.

    That repeats lines, and loses none.
    """
    try:
        known = json.loads(cursor_file(audit).read_bytes())
        return Head(int(known["sequence"]), str(known["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return START


def write_cursor(audit: Path, cursor: Head) -> None:
    """Replace the cursor of an audit; a crash leaves the old one whole.

    Raises:
        OSError: it cannot be written.

    """
    path = cursor_file(audit)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        json.dump(asdict(cursor), stream)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
