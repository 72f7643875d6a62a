"""Reading corpora: JSON lines of messages with their detections, of reports and of submissions.

A bad line is refused, never skipped.

CorpusError
└── names the file and the line, and what is wrong with it
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["message", "report", "submission"]

_IDENTITY: Mapping[Kind, str] = {"message": "id", "report": "id", "submission": "submission_id"}


class CorpusError(ValueError):
    """A corpus that cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a corpus.

    `detections` is the answer of `/detections` and comes with messages alone.
    """

    kind: Kind
    record: dict[str, Any]
    detections: dict[str, Any] | None = None


def read_corpus(path: Path) -> Iterator[Line]:
    """Read a `.jsonl` or `.jsonl.gz` file line by line; blank lines are passed over.

    Raises:
        CorpusError: the file cannot be read, or a line is no record; lines before it have been
            given already.

    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as file
        ):
            yield from read_lines(file, str(path))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(f"{path}: {reason}") from None


def read_lines(lines: Iterable[str], name: str) -> Iterator[Line]:
    """Read JSON lines; `name` is what errors call the source.

    Raises:
        CorpusError: a line is not JSON or no record.

    """
    for number, text in enumerate(lines, 1):
        if text.strip():
            try:
                yield parse_line(json.loads(text))
            except ValueError as error:
                raise CorpusError(f"{name}:{number}: {error}") from None


def parse_line(value: object) -> Line:
    """Understand one line: `{"message".

    …, "detections": …}`, `{"report": …}` or `{"submission": …}`.

    Raises:
        ValueError: it is none of these, or the record has no id.

    """
    if not isinstance(value, Mapping):
        raise ValueError("a line must be a JSON object")  # noqa: TRY004 - it is the line's value
    for kind in _IDENTITY:
        if kind in value:
            return Line(kind, _record(value[kind], kind), _detections(value.get("detections")))
    raise ValueError('a line needs a "message", a "report" or a "submission"')


def parse_record(value: object, kind: Kind) -> Line:
    """Understand a record that stands alone, or a whole corpus line of that kind.

    Raises:
        ValueError: it is neither, or has no id.

    """
    return (
        parse_line(value)
        if isinstance(value, dict) and kind in value
        else Line(kind, _record(value, kind))
    )


def _record(value: object, kind: Kind) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"the {kind} must be an object")  # noqa: TRY004 - it is the line's value
    identity = value.get(_IDENTITY[kind])
    if kind == "report" and isinstance(identity, int) and not isinstance(identity, bool):
        return value
    if kind == "report" or not isinstance(identity, str) or not identity:
        raise ValueError(
            f'the {kind} has no "{_IDENTITY[kind]}"'
            + (" (a whole number)" if kind == "report" else " (a text)")
        )
    return value


def _detections(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise ValueError('"detections" must be an object')
    return value
