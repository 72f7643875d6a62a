"""The lines of an audit file: each holds its number, the hash of the previous line and its own.

The hash is SHA-256 over the bytes of the line up to its own `hash`, so that checking a line needs
no canonical form. Pure, except for listing the files of an audit.
"""

import glob
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from clawback.audit.ocsf import to_ocsf
from clawback.model.audit_record import AuditRecord

GENESIS = "0" * 64
"""The previous hash of the first line."""

_SEALED = re.compile(rb'(.*),"hash":"([0-9a-f]{64})"\}\}\n?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class ChainLink:
    """The state of a chain after a line: its number, its hash, and the id of its record."""

    sequence: int = 0
    hash: str = GENESIS
    uid: str = ""


class InvalidLine(ValueError):
    """Bytes that are not an intact audit line; the text says what is wrong."""


def write_line(record: AuditRecord, previous: ChainLink) -> tuple[bytes, ChainLink]:
    """Encode a record as the line that follows `previous`, with its newline."""
    event = to_ocsf(record)
    event["metadata"]["sequence"] = previous.sequence + 1
    event["unmapped"]["previous"] = previous.hash
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    # `unmapped` is last, so the hash goes before the two closing braces.
    body = text.encode("utf-8", "backslashreplace").removesuffix(b"}}")

    seal = hashlib.sha256(body).hexdigest()
    line = body + b',"hash":"' + seal.encode() + b'"}}\n'
    return line, ChainLink(previous.sequence + 1, seal, record.id)


def read_line(line: bytes) -> tuple[ChainLink, str]:
    """Check a line by itself; return its link and the previous hash that it claims.

    Raises:
        InvalidLine: it is not an audit line, or its hash does not match its bytes.

    """
    sealed = _SEALED.fullmatch(line)
    if sealed is None:
        raise InvalidLine("not an audit record")

    body, seal = sealed[1], sealed[2].decode()
    if hashlib.sha256(body).hexdigest() != seal:
        raise InvalidLine("the line was changed: its hash does not match")

    try:
        event = json.loads(line)
        link = ChainLink(event["metadata"]["sequence"], seal, event["metadata"]["uid"])
        previous: str = event["unmapped"]["previous"]
    except (ValueError, KeyError, TypeError):
        raise InvalidLine("not an audit record") from None

    return link, previous


def audit_files(path: Path) -> list[Path]:
    """List the files of one audit, oldest first: the rotated ones, then the live one."""
    rotated = sorted(
        file
        for file in path.parent.glob(f"{glob.escape(path.name)}.*")
        if file.suffix[1:].isdecimal()
    )
    return [*rotated, path] if path.exists() else rotated
