"""Reads history from corpus files: one event a line, reports and submissions joined to messages."""

import gzip
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from clawback.ingest.join import join_messages
from clawback.model.events import SOURCES_BY_NAME, Enrichment, Event, message_event, source_of
from clawback.simulator.corpus import CorpusError, Line, read_lines

_PROGRESS_EVERY = 500


def corpus_events(
    paths: Sequence[Path], now: datetime, tell: Callable[[int], None]
) -> Iterator[Event]:
    """Yield every event of the files with its detections: messages first, then what is about them.

    The files are read once, and only the reports and submissions stay in memory. If there are any,
    a second reading finds their messages. `tell(bytes)` reports progress.

    Raises:
        CorpusError: a file cannot be read, or has an invalid line.

    """
    later: list[Line] = []
    for path in paths:
        for line in read_lines(_lines_of(path, tell), str(path)):
            if line.kind == "message":
                yield _message(line, now)
            else:
                later.append(line)

    if later:
        yield from _join(paths, later, now)


def size_of(paths: Sequence[Path]) -> int:
    """Sum up the sizes of the files, in bytes.

    Raises:
        CorpusError: a file does not exist.

    """
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise CorpusError(f"{error.filename}: {error.strerror}") from None


def _lines_of(path: Path, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the lines of a file, which may be a pipe; `tell` adds up to its size."""
    is_packed = path.suffix == ".gz"
    try:
        with path.open("rb") as raw, gzip.open(raw, "rb") if is_packed else raw as file:
            told = read = 0
            for number, line in enumerate(file):
                yield line
                read = raw.tell() if is_packed else read + len(line)
                if number % _PROGRESS_EVERY == 0:
                    tell(read - told)
                    told = read

            tell(read - told)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CorpusError(f"{path}: {reason}") from None


def _message(line: Line, now: datetime) -> Event:
    # At once: another event with the detections would cost as much as this one.
    return message_event({**line.record, Enrichment.DETECTIONS.value: line.detections or {}}, now)


def _join(paths: Sequence[Path], later: Sequence[Line], now: datetime) -> Iterator[Event]:
    """Yield reports and submissions, joined to the messages that they name."""
    events = [SOURCES_BY_NAME[line.kind].build(line.record, now) for line in later]
    postfix_ids = [source_of(event).postfix_id(event) for event in events]
    messages = _find_messages(paths, frozenset(filter(None, postfix_ids)), now)
    for event, postfix_id in zip(events, postfix_ids, strict=True):
        joined = join_messages(event, messages.get(str(postfix_id), ()))
        yield joined.with_detections(joined.message.get(Enrichment.DETECTIONS.value, {}))


def _find_messages(
    paths: Sequence[Path], postfix_ids: frozenset[str], now: datetime
) -> Mapping[str, Sequence[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for path in paths if postfix_ids else ():
        for line in read_lines(_lines_of(path, lambda _: None), str(path)):
            postfix_id = line.record.get("postfix_id")
            if line.kind == "message" and postfix_id in postfix_ids:
                found[postfix_id].append(_message(line, now))

    return found
