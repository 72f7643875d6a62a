"""The lines of an audit file: each carries its number, the hash of the line before it and its own.

Pure but for reading a file.

The hash is SHA-256 over the line's bytes up to its own `hash`, so that nothing needs to be put into
a canonical form to check it.
"""

import glob
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clawback.audit.ocsf import to_ocsf
from clawback.model.audit_record import AuditRecord

GENESIS = "0" * 64
"""What the first line of a chain has in place of the hash before it."""

_SEALED = re.compile(rb'(.*),"hash":"([0-9a-f]{64})"\}\}\n?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain stands after a line: its number, its hash, and the id of its record."""

    sequence: int = 0
    hash: str = GENESIS
    uid: str = ""


class NotALine(ValueError):
    """Bytes that are not an intact line of an audit; the text says what is wrong."""


def write_line(record: AuditRecord, after: Link) -> tuple[bytes, Link]:
    """Write a record as the line that follows `after`; with its newline."""
    event = to_ocsf(record)
    event["metadata"]["sequence"] = after.sequence + 1
    event["unmapped"]["previous"] = after.hash
    body = (
        json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        .encode("utf-8", "backslashreplace")
        .removesuffix(b"}}")
    )
    seal = hashlib.sha256(body).hexdigest()
    return body + b',"hash":"' + seal.encode() + b'"}}\n', Link(after.sequence + 1, seal, record.id)


def read_line(line: bytes) -> tuple[Link, str]:
    """Check a line by itself.

    Gives where the chain stands after it, and the hash it says came before.

    Raises:
        NotALine: it is not JSON of ours, or its hash does not match its bytes.

    """
    sealed = _SEALED.fullmatch(line)
    if sealed is None:
        raise NotALine("it is not an audit record")
    body, seal = sealed[1], sealed[2].decode()
    if hashlib.sha256(body).hexdigest() != seal:
        raise NotALine("it was changed: its hash does not match")
    try:
        event = json.loads(line)
        return Link(event["metadata"]["sequence"], seal, event["metadata"]["uid"]), event[
            "unmapped"
        ]["previous"]
    except (ValueError, KeyError, TypeError):
        raise NotALine("it is not an audit record") from None


def segments(path: Path) -> list[Path]:
    """List the files of one audit, oldest first.

    Those that were rotated away, then the live one.
    """
    rotated = sorted(
        file
        for file in path.parent.glob(f"{glob.escape(path.name)}.*")
        if file.suffix[1:].isdecimal()
    )
    return [*rotated, path] if path.exists() else rotated


def read_records(path: Path) -> Iterator[AuditRecord]:
    """Read all records of an audit back, oldest first, each id once.

    A torn last line is left out.
    """
    known: set[str] = set()
    for segment in segments(path):
        with segment.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                record = AuditRecord.model_validate(json.loads(line)["unmapped"])
                if record.id not in known:
                    known.add(record.id)
                    yield record
