"""Reads a corpus: JSON lines of messages with their detections, reports and submissions.

CorpusError   a file or a line is invalid; the message names both. No line is skipped.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clawback.simulator.json_text import decode_json

Kind = Literal["message", "report", "submission"]

_IDENTITY: Mapping[Kind, str] = {"message": "id", "report": "id", "submission": "submission_id"}


class CorpusError(ValueError):
    """A corpus cannot be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a corpus. `detections` is the result of `/detections`, for messages only."""

    kind: Kind
    record: dict[str, Any]
    detections: dict[str, Any] | None = None


def read_corpus(path: Path) -> Iterator[Line]:
    """Read a `.jsonl` or `.jsonl.gz` file line by line. Blank lines are ignored.

    Raises:
        CorpusError: the file cannot be read or a line is invalid; earlier lines were yielded.

    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield from read_lines(file, str(path))
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(f"{path}: {reason}") from None


def read_lines(lines: Iterable[bytes], name: str) -> Iterator[Line]:
    """Read JSON lines. Errors call the source `name`.

    Raises:
        CorpusError: a line is not JSON or not a record.

    """
    for number, text in enumerate(lines, 1):
        # Windows programs write a byte order mark before the first line.
        line = text.removeprefix(codecs.BOM_UTF8) if number == 1 else text
        if line.strip():
            try:
                yield parse_line(decode_json(line))
            except ValueError as error:
                raise CorpusError(f"{name}:{number}: {error}") from None


def parse_line(value: object) -> Line:
    """Parse `{"message": …, "detections": …}`, `{"report": …}` or `{"submission": …}`.

    Raises:
        ValueError: it is none of these, or the record has no id.

    """
    if not isinstance(value, Mapping):
        raise ValueError("a line must be a JSON object")  # noqa: TRY004 - the data is invalid

    for kind in _IDENTITY:
        if kind in value:
            return Line(
                kind, _check_record(value[kind], kind), _check_detections(value.get("detections"))
            )

    raise ValueError('a line needs a "message", a "report" or a "submission"')


def parse_record(value: object, kind: Kind) -> Line:
    """Parse a bare record, or a corpus line of that kind.

    Raises:
        ValueError: it is neither, or has no id.

    """
    return (
        parse_line(value)
        if isinstance(value, dict) and kind in value
        else Line(kind, _check_record(value, kind))
    )


def _check_record(value: object, kind: Kind) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"the {kind} must be an object")  # noqa: TRY004 - the data is invalid

    identity = value.get(_IDENTITY[kind])
    if kind == "report" and isinstance(identity, int) and not isinstance(identity, bool):
        return value
    if kind == "report" or not isinstance(identity, str) or not identity:
        raise ValueError(
            f'the {kind} has no "{_IDENTITY[kind]}"'
            + (" (an integer)" if kind == "report" else " (a string)")
        )

    return value


def _check_detections(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise ValueError('"detections" must be an object')
    return value
