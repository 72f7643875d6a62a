"""Reads history from corpus files: one event a line, reports and submissions joined to messages."""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from clawback.ingest.join import join_messages
from clawback.model.events import SOURCES_BY_NAME, Event, message_event
from clawback.simulator.corpus import CorpusError, Line, read_lines

Sample = tuple[Event, dict[str, Any]]
_PROGRESS_EVERY = 500


def corpus_events(
    paths: Sequence[Path], now: datetime, tell: Callable[[int], None]
) -> Iterator[Sample]:
    """Yield every event of the files with its detections: messages first, then what is about them.

    A first pass collects which messages reports and submissions name, so that only those stay in
    memory. `tell(bytes)` reports progress.

    Raises:
        CorpusError: a file cannot be read, or has an invalid line.

    """
    wanted = {postfix_id for path in paths for postfix_id in _wanted(path)}
    messages: dict[str, list[Event]] = defaultdict(list)
    later: list[Line] = []
    for path in paths:
        for line in read_lines(_texts(path, tell), str(path)):
            if line.kind != "message":
                later.append(line)
                continue
            event = message_event(line.record, now)
            if (postfix_id := line.record.get("postfix_id")) in wanted:
                messages[str(postfix_id)].append(event.with_detections(line.detections or {}))
            yield event, line.detections or {}
    yield from (_joined(line, messages, now) for line in later)


def size_of(paths: Sequence[Path]) -> int:
    """Sum up the sizes of the files, in bytes.

    Raises:
        CorpusError: a file does not exist.

    """
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise CorpusError(f"{error.filename}: {error.strerror}") from None


def _texts(path: Path, tell: Callable[[int], None]) -> Iterator[str]:
    try:
        with (
            path.open("rb") as raw,
            gzip.open(raw, "rb") if path.suffix == ".gz" else path.open("rb") as file,
        ):
            before = 0
            for number, line in enumerate(file):
                yield line.decode("utf-8")
                if number % _PROGRESS_EVERY == 0:
                    at = raw.tell() if path.suffix == ".gz" else file.tell()
                    tell(at - before)
                    before = at
            tell(path.stat().st_size - before)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(f"{path}: {reason}") from None


def _wanted(path: Path) -> Iterator[str]:
    """Yield the postfix ids that reports and submissions name.

    Invalid lines are skipped here: the second pass reports them.
    """
    for text in _texts(path, lambda _: None):
        if '"report"' not in text and '"submission"' not in text:
            continue
        try:
            value = json.loads(text)
        except ValueError:
            continue
        for kind, place in (("report", "fields"), ("submission", None)):
            record = value.get(kind) if isinstance(value, dict) else None
            fields = record.get(place) if place and isinstance(record, dict) else record
            if isinstance(fields, dict):
                yield from (
                    one
                    for name in ("postfix_id", "original_postfix_id")
                    if isinstance(one := fields.get(name), str)
                )


def _joined(line: Line, messages: dict[str, list[Event]], now: datetime) -> Sample:
    source = SOURCES_BY_NAME[line.kind]
    event = source.build(line.record, now)
    event = join_messages(event, messages.get(str(source.postfix_id(event)), ()))
    return event, event.message.get("detections", {})
