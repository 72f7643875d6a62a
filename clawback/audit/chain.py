"""The lines of an audit file: each holds its number, the hash of the previous line and its own.

The hash is SHA-256 over the bytes of the line up to its own `hash`, so that checking a line needs
no canonical form. The signature is over that hash, and so over number, previous hash and record.
Pure.
"""

import base64
import codecs
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawback.audit.ocsf import to_ocsf
from clawback.audit.signing import SigningKeys
from clawback.model.audit_record import AuditRecord

GENESIS = "0" * 64
"""The previous hash of the first line."""
_MIN_HASH_DIGITS = 12
_SHORT_HASH_DIGITS = 16

_SEALED = re.compile(
    rb'(.*),"hash":"([0-9a-f]{64})","signature":"([A-Za-z0-9+/]{86}==)"\}\}\n?', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class ChainLink:
    """The state of a chain after a line: its number, hash, record id, and the id of its key."""

    sequence: int = 0
    hash: str = GENESIS
    uid: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of an audit at some time: the number of its last line, and the hash of that line.

    `hash` may be the first digits of it. Whoever keeps heads elsewhere detects lines cut off later.
    """

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @property
    def short(self) -> str:
        """The head as people pass it on; `parse` reads it too."""
        return f"{self.sequence}:{self.hash[:_SHORT_HASH_DIGITS]}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read `SEQ:HASH`.

        Raises:
            ValueError: it is something else; the text says what is expected.

        """
        sequence, _, digits = text.strip().lower().partition(":")
        is_hex = not digits.strip("0123456789abcdef")
        is_long_enough = _MIN_HASH_DIGITS <= len(digits) <= len(GENESIS)
        if not (sequence.isascii() and sequence.isdecimal() and is_hex and is_long_enough):
            raise ValueError(
                f"{text!r} is no head such as 1207:3f9ac0d2e1b4…: the number of a line, a colon, "
                f"and at least {_MIN_HASH_DIGITS} digits of its hash"
            )
        return cls(int(sequence), digits)

    def is_of(self, link: ChainLink) -> bool:
        """Whether a line is the one that this head names."""
        return self.sequence == link.sequence and link.hash.startswith(self.hash)


@dataclass(frozen=True, slots=True)
class SealedLine:
    """A line that is intact by itself: its link, what it claims, and its OCSF event."""

    link: ChainLink
    previous: str
    signature: bytes
    event: Mapping[str, Any]


class InvalidLine(ValueError):
    """Bytes that are not an intact audit line; the text says what is wrong."""


def write_line(
    record: AuditRecord, previous: ChainLink, keys: SigningKeys
) -> tuple[bytes, ChainLink]:
    """Encode a record as the signed line that follows `previous`, with its newline."""
    event = to_ocsf(record)
    event["metadata"]["sequence"] = previous.sequence + 1
    event["unmapped"] |= {"previous": previous.hash, "key": keys.id}
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    # `unmapped` is last, so hash and signature go before the two closing braces.
    body = text.encode("utf-8", "backslashreplace").removesuffix(b"}}")

    seal = hashlib.sha256(body).hexdigest()
    signature = base64.b64encode(keys.sign(seal))
    line = body + b',"hash":"' + seal.encode() + b'","signature":"' + signature + b'"}}\n'
    return line, ChainLink(previous.sequence + 1, seal, record.id, keys.id)


def read_line(line: bytes) -> SealedLine:
    """Check the hash of a line, not its signature.

    Raises:
        InvalidLine: it is not an audit line, or its hash does not match its bytes.

    """
    sealed = _SEALED.fullmatch(line)
    if sealed is None:
        raise InvalidLine(_find_other_program(line) or "not an audit record")

    body, seal = sealed[1], sealed[2].decode()
    if hashlib.sha256(body).hexdigest() != seal:
        changed = "the line was changed: its hash does not match"
        raise InvalidLine(_find_other_program(line) or changed)

    try:
        event = json.loads(line)
        unmapped, metadata = event["unmapped"], event["metadata"]
        link = ChainLink(metadata["sequence"], seal, metadata["uid"], unmapped["key"])
        previous: str = unmapped["previous"]
    except (ValueError, KeyError, TypeError):
        raise InvalidLine("not an audit record") from None

    return SealedLine(link, previous, _decode_signature(sealed[3]), event)


def _find_other_program(line: bytes) -> str | None:
    if line.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "another program saved the file: it begins with a byte order mark"
    if line.endswith(b"\r\n"):
        return "another program saved the file: its lines end with CRLF"
    return None


def _decode_signature(text: bytes) -> bytes:
    signature = base64.b64decode(text)
    # Four texts decode to the same signature, and only one of them was written.
    if base64.b64encode(signature) != text:
        raise InvalidLine("the line was changed: its signature is not as it was written")
    return signature
